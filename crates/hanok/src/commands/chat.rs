//! `hanok chat`, and the way `ask` and `chat` reach a model: through the running server, or through the same
//! gateway in this process when none runs.

use crate::cli::Chat;
use crate::config::Effective;
use crate::output;
use crate::ownership::{self, Owned};
use crate::remote::Remote;
use crate::wiring::Rooms;
use anyhow::{Context as _, bail};
use futures_util::StreamExt as _;
use hanok_base::stream::Collector;
use hanok_base::{
    CallContext, Caller, ChatRequest, Delta, Dialect, Message, Part, Recorder as _, Role, Route, StreamEvent,
};
use hanok_gateway::{AnswerBody, Call};
use hanok_wire::{RequestOptions, StreamDecoder, codec};
use http::Method;
use serde_json::Value;
use std::io::{self, BufRead as _, IsTerminal as _};
use std::process::ExitCode;
use std::sync::Arc;

const DIALECT: Dialect = Dialect::OpenAiChat;

/// Talks until the input ends.
pub(crate) async fn run(effective: Effective, chat: Chat) -> anyhow::Result<ExitCode> {
    let door = Door::open(&effective).await?;
    let mut turns: Vec<Message> =
        chat.system.iter().map(|text| Message::text(Role::System, text.as_str())).collect();
    let interactive = io::stdin().is_terminal();
    if interactive {
        output::note(format!("talking with {}; an empty line or Ctrl-D ends", chat.model));
    }
    loop {
        if interactive {
            output::text("> ")?;
        }
        let line = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line).map(|read| (read > 0).then_some(line))
        })
        .await??;
        let Some(line) = line.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()) else {
            break;
        };
        turns.push(Message::text(Role::User, line));
        match door.streamed(&chat.model, &turns).await {
            Ok(answer) => turns.push(Message::text(Role::Assistant, answer.text)),
            // The person may go on with another question.
            Err(error) if interactive => {
                turns.pop();
                output::note(format!("error: {error:#}"));
            }
            Err(error) => return Err(error),
        }
    }
    door.close().await?;
    Ok(ExitCode::SUCCESS)
}

/// The way to a model.
pub(crate) enum Door {
    /// Through the server that runs on the data folder.
    Server(Box<Remote>),
    /// In this process.
    Here(Box<(Rooms, Owned)>),
}

/// What a streamed answer was.
pub(crate) struct Answered {
    /// Its text.
    pub(crate) text: String,
    /// Its citations of documents, in order.
    pub(crate) citations: Vec<hanok_base::Citation>,
    /// Its trace.
    pub(crate) trace_id: Option<String>,
}

impl Door {
    /// Finds the way.
    pub(crate) async fn open(effective: &Effective) -> anyhow::Result<Self> {
        if let Some(card) = ownership::running(&effective.data.value) {
            return Ok(Self::Server(Box::new(Remote::new(card, &effective.config)?)));
        }
        let owned = Owned::take(&effective.data.value)?;
        let rooms = Rooms::open(effective).await?;
        rooms.equip(effective).await?;
        rooms.index_configured(effective).await?;
        Ok(Self::Here(Box::new((rooms, owned))))
    }

    /// Asks for a whole answer; gives its JSON.
    pub(crate) async fn whole(&self, model: &str, turns: &[Message]) -> anyhow::Result<Value> {
        let body = request(model, turns, false);
        match self {
            Self::Server(remote) => {
                remote.json(Method::POST, "/v1/chat/completions", Some(&serde_json::from_slice(&body)?)).await
            }
            Self::Here(here) => match call(&here.0, DIALECT, body).await? {
                (AnswerBody::Whole(bytes), _) => Ok(serde_json::from_slice(&bytes)?),
                (AnswerBody::Stream(_), _) => {
                    bail!("the answer came as a stream though it was asked for whole")
                }
            },
        }
    }

    /// Makes a whole response (`/v1/responses`) of this request.
    pub(crate) async fn responses(&self, body: &Value) -> anyhow::Result<Value> {
        match self {
            Self::Server(remote) => remote.json(Method::POST, "/v1/responses", Some(body)).await,
            Self::Here(here) => {
                let body = serde_json::to_vec(body)?;
                match call(&here.0, Dialect::OpenAiResponses, body).await? {
                    (AnswerBody::Whole(bytes), _) => Ok(serde_json::from_slice(&bytes)?),
                    (AnswerBody::Stream(_), _) => {
                        bail!("the answer came as a stream though it was asked for whole")
                    }
                }
            }
        }
    }

    /// Asks for a streamed answer and prints it as it comes.
    pub(crate) async fn streamed(&self, model: &str, turns: &[Message]) -> anyhow::Result<Answered> {
        let body = request(model, turns, true);
        let mut printer =
            Printer { decoder: codec(DIALECT).stream_decoder(), collector: Collector::default() };
        let trace_id;
        match self {
            Self::Server(remote) => {
                let body = serde_json::from_slice(&body)?;
                let mut response = remote.send(Method::POST, "/v1/chat/completions", Some(&body)).await?;
                trace_id = response
                    .headers
                    .get("x-hanok-trace-id")
                    .and_then(|value| value.to_str().ok())
                    .map(str::to_owned);
                while let Some(piece) = response.body.next().await {
                    printer.take(&piece.context("the answer was cut")?)?;
                }
            }
            Self::Here(here) => {
                let (body, id) = call(&here.0, DIALECT, body).await?;
                trace_id = Some(id);
                match body {
                    AnswerBody::Whole(bytes) => printer.take(&bytes)?,
                    AnswerBody::Stream(mut pieces) => {
                        while let Some(piece) = pieces.next().await {
                            printer.take(&piece)?;
                        }
                    }
                }
            }
        }
        printer.end(trace_id)
    }

    /// Lets go of what was opened, records first.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        if let Self::Here(here) = self {
            let (rooms, owned) = *here;
            rooms.close().await?;
            drop(owned);
        }
        Ok(())
    }
}

async fn call(rooms: &Rooms, dialect: Dialect, body: Vec<u8>) -> anyhow::Result<(AnswerBody, String)> {
    let place = rooms.traces.admit().await?;
    let cx = CallContext::new(place, Arc::new(Caller::default()));
    let id = cx.trace_id().to_string();
    let answer = rooms.gateway.call(&cx, Call::new(dialect, Route::Chat, body.into())).await?;
    Ok((answer.body, id))
}

fn request(model: &str, turns: &[Message], stream: bool) -> Vec<u8> {
    let request = ChatRequest::new(model.into(), turns.to_vec());
    codec(DIALECT).encode_request(&request, RequestOptions { stream, ..RequestOptions::default() }).body
}

struct Printer {
    decoder: Box<dyn StreamDecoder>,
    collector: Collector,
}

impl Printer {
    fn take(&mut self, piece: &[u8]) -> anyhow::Result<()> {
        let mut events = Vec::new();
        let fed = self.decoder.feed(piece, &mut events);
        for event in events {
            if let StreamEvent::PartDelta { delta: Delta::Text(text), choice: 0, .. } = &event {
                output::text(&output::safe(text))?;
            }
            self.collector.push(event);
        }
        Ok(fed?)
    }

    fn end(mut self, trace_id: Option<String>) -> anyhow::Result<Answered> {
        output::line("")?;
        self.decoder.finish()?;
        let response = self.collector.into_response().context("the answer ended before it was complete")?;
        let message = response.choices.into_iter().next().map(|choice| choice.message);
        let (text, parts) = message.map(|message| (message.plain_text(), message.parts)).unwrap_or_default();
        let citations = parts
            .into_iter()
            .filter_map(|part| if let Part::Citation(citation) = part { Some(citation) } else { None })
            .collect();
        Ok(Answered { text, citations, trace_id })
    }
}
