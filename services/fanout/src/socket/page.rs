//! The page at `/`: the demo page in the binary, one from a folder, or none.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, header};
use include_dir::{Dir, include_dir};
use thiserror::Error;

use crate::config::PageConfig;

/// The built page, or nothing if the binary was built without it.
static CARRIED: Dir<'_> = include_dir!("$OUT_DIR/page");

/// The answer at `/` of a binary that was built without the page.
const NOT_BUILT: &str = "This binary was built without the demo page. To build it: make run, or \
                         `npm ci && npm run build` in web/ and then `cargo build` again.\n";

/// No scripts, styles or fonts but the page's own; it talks to its own host on any port.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self' http: https: ws: wss:; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'";

/// How many bytes the files of a page have at most, since they are kept in memory.
const MOST_BYTES: usize = 32 << 20;

/// How many files and folders a page has at most.
const MOST_FILES: usize = 1000;

/// Why the page of a folder cannot be served.
#[derive(Debug, Error)]
pub enum PageError {
    /// The folder, or a file in it, cannot be read.
    #[error("the page cannot be read: {path}: {source}")]
    Unreadable {
        /// The folder or file.
        path: String,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// There is nothing to show.
    #[error("the page has no index.html: {0} is empty, or not the folder of a built page")]
    NoIndex(String),
    /// The folder is something else than a page.
    #[error("the page in {0} has more than {MOST_FILES} files or {MOST_BYTES} bytes: is it the right folder?")]
    TooMuch(String),
}

/// The files of the page.
#[derive(Debug)]
pub struct Page(Files);

#[derive(Debug)]
enum Files {
    Carried,
    /// By path, without a leading slash. Requests are looked up here and never on the disk, so none leaves the folder.
    Read(HashMap<String, Bytes>),
    None,
}

impl Page {
    /// The page that is configured; that of a folder is read once.
    ///
    /// # Errors
    /// [`PageError`] if the folder holds no page.
    pub fn load(page: &PageConfig) -> Result<Self, PageError> {
        let folder = match page {
            PageConfig::Demo => return Ok(Self(Files::Carried)),
            PageConfig::None => return Ok(Self(Files::None)),
            PageConfig::Folder(folder) => folder,
        };
        let files = read(folder)?;
        if files.contains_key("index.html") {
            Ok(Self(Files::Read(files)))
        } else {
            Err(PageError::NoIndex(folder.display().to_string()))
        }
    }

    /// The page itself.
    pub(super) fn index(&self) -> Response {
        if matches!(self.0, Files::Carried) && self.find("index.html").is_none() {
            return (StatusCode::OK, NOT_BUILT).into_response();
        }
        self.file(&Method::GET, "/index.html")
    }

    /// A file of the page.
    pub(super) fn file(&self, method: &Method, path: &str) -> Response {
        let Some(contents) = self.find(path.trim_start_matches('/')) else {
            return (StatusCode::NOT_FOUND, "not found\n").into_response();
        };
        if !matches!(*method, Method::GET | Method::HEAD) {
            return StatusCode::METHOD_NOT_ALLOWED.into_response();
        }
        respond(contents, path, CONTENT_SECURITY_POLICY)
    }

    fn find(&self, path: &str) -> Option<Bytes> {
        match &self.0 {
            Files::Carried => CARRIED.get_file(path).map(|file| Bytes::from_static(file.contents())),
            Files::Read(files) => files.get(path).cloned(),
            Files::None => None,
        }
    }
}

/// A file of a page, with the headers for it.
pub(super) fn respond(contents: Bytes, path: &str, policy: &'static str) -> Response {
    let media_type = mime_guess::from_path(path).first_or_octet_stream();
    let mut response = contents.into_response();
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(media_type.as_ref()) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    // The names of built assets carry a hash of their content.
    let caching = if path.contains("/assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// All files of a folder; links in it are skipped.
fn read(root: &Path) -> Result<HashMap<String, Bytes>, PageError> {
    let unreadable = |path: &Path, source| PageError::Unreadable { path: path.display().to_string(), source };
    let too_much = || PageError::TooMuch(root.display().to_string());
    let (mut files, mut bytes, mut seen) = (HashMap::new(), 0, 0);
    let mut folders: Vec<(PathBuf, String)> = vec![(root.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|error| unreadable(&folder, error))? {
            let entry = entry.map_err(|error| unreadable(&folder, error))?;
            let path = entry.path();
            let meta = entry.metadata().map_err(|error| unreadable(&path, error))?;
            // A name that is no text cannot be asked for.
            let Ok(name) = entry.file_name().into_string() else { continue };
            seen += 1;
            bytes += if meta.is_file() { usize::try_from(meta.len()).unwrap_or(usize::MAX) } else { 0 };
            if seen > MOST_FILES || bytes > MOST_BYTES {
                return Err(too_much());
            }
            if meta.is_dir() {
                folders.push((path, format!("{prefix}{name}/")));
            } else if meta.is_file() {
                let contents = std::fs::read(&path).map_err(|error| unreadable(&path, error))?;
                files.insert(format!("{prefix}{name}"), contents.into());
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(page: &Page, path: &str) -> StatusCode {
        page.file(&Method::GET, path).status()
    }

    #[test]
    fn the_page_of_a_folder_has_its_files_and_no_others() {
        let outside = tempfile::tempdir().unwrap();
        let folder = outside.path().join("page");
        std::fs::create_dir_all(folder.join("assets")).unwrap();
        std::fs::write(folder.join("index.html"), "<title>mine</title>").unwrap();
        std::fs::write(folder.join("assets/app.js"), "1").unwrap();
        std::fs::write(outside.path().join("secret"), "s").unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), folder.join("link")).unwrap();
        let page = Page::load(&PageConfig::Folder(folder)).unwrap();
        assert_eq!(page.find("index.html").unwrap(), "<title>mine</title>");
        assert_eq!(page.index().headers()[header::CONTENT_TYPE], "text/html");
        assert_eq!(status(&page, "/assets/app.js"), StatusCode::OK);
        for path in ["/../secret", "/assets/../../secret", "/link", "/assets", "/missing"] {
            assert_eq!(status(&page, path), StatusCode::NOT_FOUND, "{path}");
        }
        assert_eq!(page.file(&Method::POST, "/index.html").status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    #[test]
    fn without_a_page_there_is_nothing_at_its_place() {
        let none = Page::load(&PageConfig::None).unwrap();
        assert_eq!(none.index().status(), StatusCode::NOT_FOUND);
        assert_eq!(status(&none, "/index.html"), StatusCode::NOT_FOUND);
        assert_eq!(Page::load(&PageConfig::Demo).unwrap().index().status(), StatusCode::OK);
    }

    #[test]
    fn a_folder_without_a_page_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let told = |path: &Path| Page::load(&PageConfig::Folder(path.to_owned())).unwrap_err().to_string();
        assert!(told(folder.path()).contains("has no index.html"), "{}", told(folder.path()));
        let missing = folder.path().join("dist");
        assert!(told(&missing).contains("dist: No such file"), "{}", told(&missing));
        for number in 0..=MOST_FILES {
            std::fs::write(folder.path().join(number.to_string()), "").unwrap();
        }
        assert!(told(folder.path()).contains("more than 1000 files"), "{}", told(folder.path()));
    }
}
