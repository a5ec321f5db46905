//! One request to the registry.

use std::error::Error as _;
use std::sync::Arc;

use fanfare_event::confluent::{ForeignSchema, MAX_SCHEMA, MAX_SCHEMAS};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;

use crate::config::{SchemaRegistryConfig, Secret};
use crate::pipeline::written::Registered;

/// The largest answer that is read: a schema with all its quotes escaped, and the JSON around it.
const MOST: usize = 2 * MAX_SCHEMA + 16 * 1024;

/// The error code of a registry that has no schema of this id; other servers may answer 404 too.
const NO_SUCH_SCHEMA: u32 = 40_403;

/// How many other schemas one may refer to, by itself and through those.
const MOST_REFERENCES: usize = 32;

const ACCEPTED: &str = "application/vnd.schemaregistry.v1+json, application/json";

/// The registry's answer; no answer is neither.
#[derive(Debug)]
pub(super) enum Found {
    /// A schema that can be used.
    Schema(Arc<Registered>),
    /// There is no schema of this id.
    Nothing(String),
    /// The answer is not a schema.
    Rubbish(String),
}

impl Found {
    /// The answer as a metric label.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Schema(_) => "schema",
            Self::Nothing(_) => "unknown",
            Self::Rubbish(_) => "rubbish",
        }
    }
}

/// Asks one registry.
pub(super) struct Fetcher {
    client: Client,
    url: String,
    login: Option<(String, Secret)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    schema: String,
    schema_type: Option<String>,
    #[serde(default)]
    references: Vec<Reference>,
}

/// The place of a schema that another refers to.
#[derive(Deserialize, Clone, PartialEq, Eq)]
struct Reference {
    subject: String,
    version: u32,
}

#[derive(Deserialize)]
struct Refusal {
    error_code: u32,
}

impl Fetcher {
    pub(super) fn new(config: &SchemaRegistryConfig) -> Result<Self, reqwest::Error> {
        let mut client = Client::builder().redirect(Policy::none()).timeout(config.timeout);
        if let Some(pem) = &config.ca {
            client = Certificate::from_pem_bundle(pem)?.into_iter().fold(client, |c, ca| c.add_root_certificate(ca));
        }
        if config.is_loopback {
            // A proxy named in the environment is never meant for this machine.
            client = client.no_proxy();
        }
        Ok(Self { client: client.build()?, url: config.url.clone(), login: config.login.clone() })
    }

    /// Asks for a schema.
    ///
    /// # Errors
    /// Why there is no answer; asking again may help.
    pub(super) async fn fetch(&self, id: u32) -> Result<Found, String> {
        let url = format!("{}/schemas/ids/{id}", self.url);
        let request = self.signed(self.client.get(url)).header("accept", ACCEPTED);
        let response = request.send().await.map_err(|error| cause(&error))?;
        match response.status() {
            StatusCode::OK => self.schema(id, response).await,
            StatusCode::NOT_FOUND => Ok(nothing(id, response).await?),
            StatusCode::UNPROCESSABLE_ENTITY => {
                Ok(Found::Nothing(format!("the schema registry says that {id} is no id of a schema")))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(format!("it answers {}: are `user` and `password_file` right?", response.status()))
            }
            other => Err(format!("it answers {other}")),
        }
    }

    /// The schema in an answer. A bad answer is final: the same question would bring the same answer.
    async fn schema(&self, id: u32, response: Response) -> Result<Found, String> {
        let Answer { schema, references, .. } = match answer(&format!("schema {id}"), response).await? {
            Ok(answer) => answer,
            Err(rubbish) => return Ok(rubbish),
        };
        let referred = match self.referred(id, references).await? {
            Ok(referred) => referred,
            Err(rubbish) => return Ok(rubbish),
        };
        Ok(match ForeignSchema::parse_with(id, &schema, &referred) {
            Ok(schema) => Found::Schema(Arc::new(Registered::new(schema))),
            Err(error) => Found::Rubbish(error.to_string()),
        })
    }

    /// The schemas that one refers to, and those that they refer to, each once.
    async fn referred(&self, id: u32, mut wanted: Vec<Reference>) -> Result<Result<Vec<String>, Found>, String> {
        let (mut seen, mut texts, mut bytes) = (Vec::new(), Vec::new(), 0);
        while let Some(reference) = wanted.pop() {
            if seen.contains(&reference) {
                continue;
            }
            let what = format!("version {} of `{}`", reference.version, reference.subject);
            if seen.len() == MOST_REFERENCES {
                let reason = format!("schema {id} refers to more than {MOST_REFERENCES} others, {what} among them");
                return Ok(Err(Found::Rubbish(reason)));
            }
            let request = self.signed(self.client.get(self.version_url(&reference)?)).header("accept", ACCEPTED);
            let response = request.send().await.map_err(|error| cause(&error))?;
            match response.status() {
                StatusCode::OK => {}
                StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY => {
                    let reason = format!("schema {id} refers to {what}, which the schema registry does not have");
                    return Ok(Err(Found::Rubbish(reason)));
                }
                other => return Err(format!("it answers {other} to {what}")),
            }
            let found = match answer(&what, response).await? {
                Ok(found) => found,
                Err(rubbish) => return Ok(Err(rubbish)),
            };
            bytes += found.schema.len();
            if bytes > MAX_SCHEMAS {
                let reason = format!("schema {id} refers to schemas of more than {MAX_SCHEMAS} bytes");
                return Ok(Err(Found::Rubbish(reason)));
            }
            texts.push(found.schema);
            wanted.extend(found.references);
            seen.push(reference);
        }
        Ok(Ok(texts))
    }

    /// The path of a version of a subject, whose name may contain anything.
    fn version_url(&self, Reference { subject, version }: &Reference) -> Result<Url, String> {
        let mut url = Url::parse(&self.url).map_err(|error| error.to_string())?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["subjects", subject, "versions", &version.to_string()]);
        }
        Ok(url)
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.login {
            None => request,
            Some((user, password)) => request.basic_auth(user, Some(String::from_utf8_lossy(password.as_bytes()))),
        }
    }
}

/// The content of an answer. A bad answer is reported as it is.
async fn answer(what: &str, response: Response) -> Result<Result<Answer, Found>, String> {
    let rubbish = |is: &str| Ok(Err(Found::Rubbish(format!("the schema registry answers {is} for {what}"))));
    let Some(body) = read(response).await? else { return rubbish(&format!("more than {MOST} bytes")) };
    let Ok(answer) = serde_json::from_slice::<Answer>(&body) else {
        return rubbish("something that is not JSON with a `schema`");
    };
    match answer.schema_type.as_deref() {
        None | Some("AVRO") => Ok(Ok(answer)),
        Some(other) => {
            let other: String = other.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
            rubbish(&format!("a schema of type {other}, and events are Avro,"))
        }
    }
}

async fn nothing(id: u32, response: Response) -> Result<Found, String> {
    let body = read(response).await?.unwrap_or_default();
    let known = serde_json::from_slice::<Refusal>(&body).is_ok_and(|refusal| refusal.error_code == NO_SUCH_SCHEMA);
    let hint = if known { "" } else { " (it answers 404 without saying so: is `url` right?)" };
    Ok(Found::Nothing(format!("the schema registry has no schema {id}{hint}")))
}

/// The body of an answer, or nothing if it is too large.
async fn read(mut response: Response) -> Result<Option<Vec<u8>>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| cause(&error))? {
        if body.len() + chunk.len() > MOST {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// The innermost reason, without the URL.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    match error.source() {
        Some(_) => fanfare_failure::root_cause(error),
        None => "the connection failed".to_owned(),
    }
}
