//! The source tree without the output of tools.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that are built, downloaded or written at run time.
const NOT_SOURCE: [&str; 6] = [".git", "target", "node_modules", "dist", ".tests", ".fanfare"];

/// A text file of the tree.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Its path from the root, with `/` between folders.
    pub path: String,
    /// Its content.
    pub text: String,
}

/// The root of the workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().and_then(Path::parent).expect("this package is two folders down")
}

/// Every text file whose name ends with one of `endings`, in a stable order; all text files if there are none.
pub fn files(endings: &[&str]) -> Vec<SourceFile> {
    let mut paths = Vec::new();
    collect(root(), &mut paths);
    paths.sort();
    let wanted = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        endings.is_empty() || endings.iter().any(|ending| name.ends_with(ending))
    };
    paths.into_iter().filter(wanted).filter_map(read).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    // A folder that another process removes meanwhile contains no source.
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        // In a second work tree, `.git` is a file.
        if NOT_SOURCE.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if kind.is_file() {
            paths.push(entry.path());
        } else if kind.is_dir() {
            collect(&entry.path(), paths);
        }
    }
}

/// The file's text, or `None` if it is not text.
fn read(path: PathBuf) -> Option<SourceFile> {
    let text = fs::read_to_string(&path).ok()?;
    let path = path.strip_prefix(root()).expect("every file is below the root").to_string_lossy().replace('\\', "/");
    Some(SourceFile { path, text })
}

#[cfg(test)]
mod tests {
    use super::files;

    #[test]
    fn finds_this_file_and_nothing_that_was_built() {
        let found = files(&[".rs"]);
        assert!(found.iter().any(|file| file.path == "tests/workspace/src/tree.rs"));
        assert!(!found.iter().any(|file| file.path.contains("target/")));
    }
}
