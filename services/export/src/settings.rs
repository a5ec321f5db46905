//! Settings that only export has.

use clap::Args;
use fanfare_producer::settings::{BaseUrl, parse_duration};
use std::time::Duration;

/// Settings of export beyond those of every producer.
#[derive(Args, Clone, Debug)]
pub struct ExportSettings {
    /// Where browsers reach this service (https); without it, links are paths on this service
    #[arg(long, env = "FANFARE_EXPORT_PUBLIC_URL", value_parser = parse_public_url)]
    pub public_url: Option<BaseUrl>,
    /// Jobs that run at once
    #[arg(long, env = "FANFARE_EXPORT_JOBS", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: u16,
    /// How long each step of a job takes at least, such as 500ms
    #[arg(long, env = "FANFARE_EXPORT_STEP", default_value = "500ms", value_parser = parse_duration)]
    pub step: Duration,
    /// How long finished jobs and their files are kept
    #[arg(long, env = "FANFARE_EXPORT_KEEP", default_value = "24h", value_parser = parse_duration)]
    pub keep: Duration,
}

/// Links in toasts are https or relative; a plain http link would be dropped there.
fn parse_public_url(text: &str) -> Result<BaseUrl, String> {
    let url: BaseUrl = text.parse()?;
    match url.as_str().starts_with("https://") {
        true => Ok(url),
        false => Err("the public URL starts with https://; leave it out for links without a host".into()),
    }
}
