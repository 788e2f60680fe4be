//! The rules of the house, enforced: who may depend on whom, where unsafe code may stand, what
//! kernel crates must not touch, how long lines, functions and files may be. Each test lists
//! every offence it finds.

#[path = "workspace/dependencies.rs"]
mod dependencies;
#[path = "workspace/lexer.rs"]
mod lexer;
#[path = "workspace/purity.rs"]
mod purity;
#[path = "workspace/sources.rs"]
mod sources;
#[path = "workspace/style.rs"]
mod style;
#[path = "workspace/unsafety.rs"]
mod unsafety;

/// Fails with every offence if there is one.
fn expect_none(rule: &str, offences: Vec<String>) {
    assert!(
        offences.is_empty(),
        "{} offence(s) against the rule: {rule}\n  {}",
        offences.len(),
        offences.join("\n  ")
    );
}

#[test]
fn dependencies_point_up_the_table() {
    let members = dependencies::members();
    assert!(members.len() >= 18, "found only {} members", members.len());
    expect_none("architecture: allowed dependencies", dependencies::direction(&members));
}

#[test]
fn heavy_crates_stay_at_the_edge() {
    let members = dependencies::members();
    expect_none("files, terminals and networks at the edge", dependencies::edge(&members));
}

#[test]
fn every_dependency_is_declared_once() {
    let members = dependencies::members();
    expect_none("dependencies come from the workspace table", dependencies::inherited(&members));
}

#[test]
fn unsafe_code_stands_where_it_may_and_says_why() {
    let files = sources::rust_files();
    assert!(files.len() >= 60, "found only {} sources", files.len());
    let offences = files.iter().flat_map(unsafety::offences).collect();
    expect_none("unsafe only in the listed files, each with its SAFETY comment", offences);
}

#[test]
fn lines_functions_and_files_stay_short() {
    let offences = sources::rust_files().iter().flat_map(style::lengths).collect();
    expect_none("100 columns, 70 lines a function, 600 lines a file", offences);
}

#[test]
fn nothing_unfinished_is_left_behind() {
    let offences = sources::text_files().iter().flat_map(style::unfinished).collect();
    expect_none("no placeholders in sources and documents", offences);
}

#[test]
fn the_kernel_has_no_clock_no_chance_and_no_hash_order() {
    let offences = sources::rust_files().iter().flat_map(purity::offences).collect();
    expect_none("kernel crates are pure", offences);
}
