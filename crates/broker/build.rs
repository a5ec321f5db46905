//! Compiles what keeps a fault of librdkafka from crashing the process.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "kafka")]
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // Whole: the linker comes to librdkafka, which alone refers to it, only later.
        cc::Build::new()
            .file("src/kafka/leader_tags.c")
            .link_lib_modifier("+whole-archive")
            .compile("fanfare_leader_tags");
        println!("cargo:rerun-if-changed=src/kafka/leader_tags.c");
    }
}
