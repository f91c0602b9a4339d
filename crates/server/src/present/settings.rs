//! What the server keeps, as the page on settings shows it.

use crate::House;
use crate::door::Visitor;
use crate::ui::view_settings::{RecordsView, SettingsView};
use hanok_trace::TraceError;

/// The page on settings; what the server keeps is for admins.
pub(crate) async fn settings(house: &House, visitor: &Visitor) -> Result<SettingsView, TraceError> {
    let records = if visitor.admin {
        let counts = house.traces.counts().await?;
        Some(RecordsView {
            traces: counts.traces,
            spans: counts.spans,
            file_bytes: counts.file_bytes,
            folder: house.traces.store().folder().display().to_string(),
            ..RecordsView::default()
        })
    } else {
        None
    };
    Ok(SettingsView { records, file: "hanok.toml".to_owned() })
}
