//! Where responses are kept that clients may ask back.

use hanok_base::{BoxError, BoxFuture, Timestamp};
use hanok_gateway::{KeptResponse, Turn};
use hanok_store::{LIFETIME, NewResponse, Store};

/// A shelf in the store.
pub(super) struct Shelf(pub(super) Store);

impl hanok_gateway::Shelf for Shelf {
    fn put(&self, kept: KeptResponse) -> BoxFuture<'static, Result<(), BoxError>> {
        let store = self.0.clone();
        Box::pin(async move {
            let now = Timestamp::now();
            let response = NewResponse {
                id: kept.id,
                project: kept.project,
                key_id: kept.key_id,
                previous: kept.previous,
                model: kept.model,
                status: kept.status,
                created: now,
                expires: now.after(LIFETIME),
                input: kept.input,
                object: kept.object,
            };
            Ok(store.responses().put(response).await?)
        })
    }

    fn get<'a>(&'a self, project: &'a str, id: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, BoxError>> {
        Box::pin(async move {
            let found = self.0.responses().get(project, id).await?;
            Ok(found.map(|response| response.object))
        })
    }

    fn chain<'a>(
        &'a self,
        project: &'a str,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<Vec<Turn>>, BoxError>> {
        Box::pin(async move {
            let turns = self.0.responses().chain(project, id).await?;
            Ok(turns.map(|turns| turns.into_iter().map(|turn| (turn.input, turn.object)).collect()))
        })
    }

    fn delete<'a>(&'a self, project: &'a str, id: &'a str) -> BoxFuture<'a, Result<bool, BoxError>> {
        Box::pin(async move { Ok(self.0.responses().delete(project, id).await?) })
    }
}
