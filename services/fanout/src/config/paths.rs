//! Paths in a configuration file, relative to the file's folder.

use std::path::{Component, Path, PathBuf};

/// The folder that relative paths start from.
#[derive(Debug, Clone)]
pub(super) struct Paths(PathBuf);

impl Paths {
    /// The paths of a configuration file.
    pub(super) fn of(config: &Path) -> Self {
        Self(config.parent().unwrap_or(Path::new("")).to_owned())
    }

    /// The path that a text of the file means.
    pub(super) fn resolve(&self, text: &str) -> PathBuf {
        let mut resolved = PathBuf::new();
        for part in self.0.join(text).components() {
            match part {
                Component::CurDir => {}
                // `demo/../.fanfare` is `.fanfare`, even if there is no folder `demo` from where the path is used.
                Component::ParentDir if matches!(resolved.components().next_back(), Some(Component::Normal(_))) => {
                    resolved.pop();
                }
                part => resolved.push(part),
            }
        }
        if resolved.as_os_str().is_empty() { PathBuf::from(".") } else { resolved }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_start_at_the_files_folder() {
        for (config, text, expected) in [
            ("demo/fanfare.toml", "routes.toml", "demo/routes.toml"),
            ("demo/fanfare.toml", "../.fanfare/log", ".fanfare/log"),
            ("/etc/fanfare/fanfare.toml", "../data", "/etc/data"),
            ("/etc/fanfare/fanfare.toml", "/var/lib", "/var/lib"),
            ("fanfare.toml", "../x", "../x"),
            ("fanfare.toml", ".", "."),
        ] {
            let resolved = Paths::of(Path::new(config)).resolve(text);
            assert_eq!(resolved, Path::new(expected), "{config} {text}");
        }
    }
}
