//! Packages and their dependencies, from `cargo metadata` and `cargo tree`.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use cargo_metadata::{CargoOpt, DependencyKind, Metadata, MetadataCommand, PackageId};

use crate::tree;

/// One package, ours or a dependency.
#[derive(Clone, Debug, Default)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its SPDX licence expression, if it states one.
    pub licence: Option<String>,
    /// The folder of its manifest.
    pub folder: PathBuf,
    /// Whether it belongs to this workspace.
    pub is_member: bool,
    /// Whether it has a binary.
    pub has_binary: bool,
    /// Its dependencies for building and running, as indices into [`Graph::packages`].
    pub needs: Vec<usize>,
    /// The additional dependencies of its tests.
    pub tests_need: Vec<usize>,
}

/// All packages that are built for this machine.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// The packages, in no particular order.
    pub packages: Vec<Package>,
}

impl Graph {
    /// The graph of this workspace, read once per process.
    pub fn of_workspace() -> &'static Self {
        static GRAPH: OnceLock<Graph> = OnceLock::new();
        GRAPH.get_or_init(|| {
            let metadata = MetadataCommand::new()
                .manifest_path(tree::root().join("Cargo.toml"))
                .features(CargoOpt::AllFeatures)
                .other_options(["--filter-platform".to_owned(), host()])
                .exec()
                .expect("cargo metadata reads the workspace");
            from_metadata(&metadata, &built())
        })
    }

    /// The packages of this workspace.
    pub fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.is_member)
    }

    /// The package with that name; any version if there are several.
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    /// All direct and transitive dependencies of `name`, each with the shortest path to it: `a -> b -> c`.
    pub fn reach(&self, name: &str) -> BTreeMap<&str, String> {
        let Some(start) = self.packages.iter().position(|package| package.name == name) else {
            return BTreeMap::new();
        };
        let mut ways: HashMap<usize, String> = HashMap::from([(start, name.to_owned())]);
        let mut queue = VecDeque::from([start]);
        while let Some(from) = queue.pop_front() {
            for &to in &self.packages[from].needs {
                if !ways.contains_key(&to) {
                    let way = format!("{} -> {}", ways[&from], self.packages[to].name);
                    ways.insert(to, way);
                    queue.push_back(to);
                }
            }
        }
        ways.remove(&start);
        ways.into_iter().map(|(at, way)| (self.packages[at].name.as_str(), way)).collect()
    }

    /// Names of the members that depend on `name` directly, for whatever purpose.
    pub fn dependents(&self, name: &str) -> Vec<&str> {
        let depends = |package: &&Package| {
            package.needs.iter().chain(&package.tests_need).any(|&at| self.packages[at].name == name)
        };
        self.members().filter(depends).map(|package| package.name.as_str()).collect()
    }

    /// Names of all packages that need `name` themselves.
    pub fn needed_by(&self, name: &str) -> Vec<&str> {
        let needs = |package: &&Package| package.needs.iter().any(|&at| self.packages[at].name == name);
        self.packages.iter().filter(needs).map(|package| package.name.as_str()).collect()
    }

    /// The versions of every crate that exists in more than one.
    pub fn several_versions(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for package in &self.packages {
            versions.entry(&package.name).or_default().push(&package.version);
        }
        versions.retain(|_, versions| versions.len() > 1);
        versions.values_mut().for_each(|versions| versions.sort_unstable());
        versions
    }
}

/// The graph of `metadata` without packages that are not in `built`.
fn from_metadata(metadata: &Metadata, built: &HashSet<String>) -> Graph {
    let resolve = metadata.resolve.as_ref().expect("cargo metadata resolves dependencies");
    let is_built = |id: &PackageId| built.contains(&format!("{} v{}", metadata[id].name, metadata[id].version));
    let nodes: Vec<_> = resolve.nodes.iter().filter(|node| is_built(&node.id)).collect();
    let places: HashMap<&PackageId, usize> = nodes.iter().map(|node| &node.id).zip(0..).collect();
    let packages = nodes.iter().map(|node| {
        let package = &metadata[&node.id];
        let mut entry = Package {
            name: package.name.to_string(),
            version: package.version.to_string(),
            licence: package.license.clone(),
            folder: package.manifest_path.parent().map(|folder| folder.as_std_path().to_owned()).unwrap_or_default(),
            is_member: metadata.workspace_members.contains(&node.id),
            has_binary: package.targets.iter().any(|target| target.is_bin()),
            ..Package::default()
        };
        for dependency in &node.deps {
            let Some(&place) = places.get(&dependency.pkg) else { continue };
            let only_tests = dependency.dep_kinds.iter().all(|kind| kind.kind == DependencyKind::Development);
            if only_tests { entry.tests_need.push(place) } else { entry.needs.push(place) }
        }
        entry
    });
    Graph { packages: packages.collect() }
}

/// Name and version of every package that a build of everything here compiles.
///
/// `cargo metadata` also lists what the lock file could need, such as the other crypto provider of rustls.
fn built() -> HashSet<String> {
    let tree = Command::new(env!("CARGO"))
        .current_dir(tree::root())
        .args(["tree", "--workspace", "--all-features", "--edges", "normal,build,dev", "--prefix", "none"])
        .args(["--format", "{p}"])
        .output()
        .expect("cargo is there, it built this");
    assert!(tree.status.success(), "cargo tree: {}", String::from_utf8_lossy(&tree.stderr));
    let text = String::from_utf8_lossy(&tree.stdout);
    // A line is a name, a version, and for some a path or a note in parentheses.
    text.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect()
}

/// The triple of this machine: without it, packages for other systems would count too.
fn host() -> String {
    let version = Command::new("rustc").arg("-vV").output().expect("rustc is there, it built this");
    let text = String::from_utf8_lossy(&version.stdout).into_owned();
    text.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc -vV names the host").to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Graph, Package};

    /// a -> b -> c, a ~> d in its tests, and a second version of c.
    fn graph() -> Graph {
        let package = |name: &str, version: &str, needs: &[usize], tests_need: &[usize]| Package {
            name: name.into(),
            version: version.into(),
            needs: needs.into(),
            tests_need: tests_need.into(),
            is_member: true,
            ..Package::default()
        };
        Graph {
            packages: vec![
                package("a", "1.0.0", &[1], &[3]),
                package("b", "1.0.0", &[2], &[]),
                package("c", "1.0.0", &[], &[]),
                package("d", "1.0.0", &[], &[]),
                package("c", "2.0.0", &[], &[]),
            ],
        }
    }

    #[test]
    fn reach_is_transitive_and_leaves_out_tests() {
        let graph = graph();
        let reach = graph.reach("a");
        assert_eq!(reach.keys().copied().collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(reach["c"], "a -> b -> c");
        assert!(graph.reach("c").is_empty() && graph.reach("nobody").is_empty());
    }

    #[test]
    fn dependents_count_tests_too() {
        assert_eq!(graph().dependents("d"), ["a"]);
        assert_eq!(graph().dependents("c"), ["b"]);
    }

    #[test]
    fn a_crate_in_two_versions_is_found() {
        assert_eq!(graph().several_versions().into_iter().collect::<Vec<_>>(), [("c", vec!["1.0.0", "2.0.0"])]);
    }
}
