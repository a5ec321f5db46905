//! The paths that a Rust file names outside itself, read from its syntax instead of its text.

use std::collections::BTreeSet;

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemUse, Macro, Path, UseTree};

/// The paths that the shipped code of one file names: its imports, and paths written in full.
///
/// A path is its names joined by `::`. `super::` and `self::` are resolved from `module`, the path of the file's own
/// module in its crate, so that all paths of the crate begin with `crate`.
///
/// # Panics
/// If the text is not Rust.
pub fn imports(text: &str, module: &[&str]) -> BTreeSet<String> {
    let file = syn::parse_file(text).expect("the sources compile");
    let mut reader = Reader { module: module.iter().map(|name| (*name).to_owned()).collect(), found: BTreeSet::new() };
    reader.visit_file(&file);
    reader.found
}

/// The module of a file under `src`: `pipeline/follower/mod.rs` is `pipeline::follower`.
pub fn module_of(path_in_src: &str) -> Vec<&str> {
    let path = path_in_src.strip_suffix(".rs").unwrap_or(path_in_src);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    path.split('/').filter(|name| !matches!(*name, "lib" | "main")).collect()
}

struct Reader {
    module: Vec<String>,
    found: BTreeSet<String>,
}

impl Reader {
    fn take(&mut self, names: &[String]) {
        let ups = names.iter().take_while(|name| *name == "super").count();
        let absolute: Vec<&str> = match names.first().map(String::as_str) {
            Some("super") => {
                let kept = self.module.len().saturating_sub(ups);
                let above = self.module[..kept].iter().map(String::as_str);
                std::iter::once("crate").chain(above).chain(names[ups..].iter().map(String::as_str)).collect()
            }
            Some("self") => {
                let here = self.module.iter().map(String::as_str);
                std::iter::once("crate").chain(here).chain(names[1..].iter().map(String::as_str)).collect()
            }
            _ => names.iter().map(String::as_str).collect(),
        };
        self.found.insert(absolute.join("::"));
    }

    fn take_tree(&mut self, above: &mut Vec<String>, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => {
                above.push(path.ident.to_string());
                self.take_tree(above, &path.tree);
                above.pop();
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.take_tree(above, tree)),
            UseTree::Name(name) => self.take_leaf(above, &name.ident.to_string()),
            UseTree::Rename(name) => self.take_leaf(above, &name.ident.to_string()),
            UseTree::Glob(_) => self.take_leaf(above, "*"),
        }
    }

    fn take_leaf(&mut self, above: &[String], name: &str) {
        let names: Vec<String> = above.iter().cloned().chain((name != "self").then(|| name.to_owned())).collect();
        self.take(&names);
    }
}

impl Visit<'_> for Reader {
    fn visit_item(&mut self, item: &Item) {
        if !is_test_only(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, module: &syn::ItemMod) {
        self.module.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.module.pop();
    }

    fn visit_item_use(&mut self, import: &ItemUse) {
        self.take_tree(&mut Vec::new(), &import.tree);
    }

    fn visit_path(&mut self, path: &Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        // A bare name comes from an import or from the language.
        if names.len() > 1 {
            self.take(&names);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &Macro) {
        // The content of a macro is tokens without syntax; a path in it is names with `::` between them.
        let text = called.tokens.to_string().replace(" :: ", "::");
        let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
        for word in words.filter(|word| word.contains("::") && !word.starts_with(':')) {
            let names: Vec<String> = word.trim_end_matches(':').split("::").map(str::to_owned).collect();
            self.take(&names);
        }
        visit::visit_macro(self, called);
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Mod(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Const(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        _ => &[],
    }
}

fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|word| word == "test")
    })
}

#[cfg(test)]
mod tests {
    use super::{imports, module_of};

    #[test]
    fn a_path_is_found_however_it_is_written() {
        let text = r#"
            //! crate::not_a_word_of_this_comment
            use crate::route::{self, Rule, wire::{A as B}};
            use super::place::*;
            fn f() -> crate::groups::Name { let text = "crate::neither"; tokio::spawn(Instant::now()); log!(x = crate::clock::at(1)) }
            mod inner { use super::sibling::C; }
            #[cfg(test)]
            mod tests { use crate::simulation::World; }
        "#;
        let found = imports(text, &["shard", "delivery"]);
        let expected = [
            "Instant::now",
            "crate::clock::at",
            "crate::groups::Name",
            "crate::route",
            "crate::route::Rule",
            "crate::route::wire::A",
            "crate::shard::delivery::sibling::C",
            "crate::shard::place::*",
            "tokio::spawn",
        ];
        assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_file_is_a_module() {
        assert_eq!(module_of("pipeline/follower/mod.rs"), ["pipeline", "follower"]);
        assert_eq!(module_of("clock.rs"), ["clock"]);
        assert!(module_of("lib.rs").is_empty());
    }
}
