//! `souk config check`, in a directory with and without a `souk.toml`.

use std::{
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;

fn directory(file: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("souk.toml");
    std::fs::write(&path, file).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    directory
}

/// Runs it in a directory with these variables and no others.
fn check(directory: &Path, environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_souk"));
    command.args(["config", "check"]).current_dir(directory).env_clear();
    command.envs(environment.iter().copied()).output().unwrap()
}

/// The source and the value of a setting.
fn line<'o>(output: &'o str, key: &str) -> (&'o str, &'o str) {
    let line = output.lines().find(|line| line.split_whitespace().next() == Some(key)).unwrap();
    let (from, value) = line[key.len()..].trim_start().split_once(' ').unwrap();
    (from, value.trim_start())
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn every_setting_is_printed_with_its_source() {
    let directory = directory("[node]\nlanes = 4\nstart_timeout = \"5s\"\n[demo]\npassword = \"s3cret\"\n");
    let output = check(directory.path(), &[("SOUK_LANES", "2"), ("SOUK_ADMIN_PASSWORD", "s3cret")]);
    let (printed, warnings) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{warnings}");
    assert!(printed.starts_with("settings file: souk.toml\n"), "{printed}");
    assert_eq!(line(printed, "node.lanes"), ("environment", "2"));
    assert_eq!(line(printed, "node.start_timeout"), ("souk.toml", "5s"));
    assert_eq!(line(printed, "node.drain_seconds"), ("default", "20"));
    assert_eq!(line(printed, "shop.currency"), ("default", "USD"));
    assert_eq!(line(printed, "demo.password"), ("souk.toml", "***"));
    assert_eq!(line(printed, "admin.password"), ("environment", "***"));
    assert!(!printed.contains("s3cret") && warnings.contains("souk.toml has secrets"), "{printed}{warnings}");
}

#[test]
fn without_a_file_the_environment_and_the_defaults_apply() {
    let directory = tempfile::tempdir().unwrap();
    let output = check(directory.path(), &[]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    assert!(text(&output.stdout).starts_with("settings file: none\n"));
}

#[test]
fn a_file_that_is_named_must_exist() {
    let directory = directory("[node]\nlanes = 4\n");
    let output = check(directory.path(), &[("SOUK_CONFIG", "other.toml")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).starts_with("souk: SOUK_CONFIG: other.toml: No such file"),
        "{}",
        text(&output.stderr)
    );
    std::fs::rename(directory.path().join("souk.toml"), directory.path().join("other.toml")).unwrap();
    let output = check(directory.path(), &[("SOUK_CONFIG", "other.toml")]);
    assert_eq!(line(text(&output.stdout), "node.lanes"), ("souk.toml", "4"));
}

#[test]
fn what_is_wrong_is_an_error_that_names_it() {
    for (file, environment, error) in [
        ("[node]\nlane = 4", &[][..], "souk: souk.toml: unknown key node.lane; did you mean node.lanes?\n"),
        ("[node]\nlanes = 65", &[], "souk: node.lanes in souk.toml is \"65\": not 1 to 64\n"),
        ("", &[("SOUK_LANES", "65")], "souk: SOUK_LANES is \"65\": not 1 to 64\n"),
        ("", &[("SOUK_STACK_CA", "ca.pem")], "souk: SOUK_STACK_CA, SOUK_STACK_CERT and SOUK_STACK_KEY belong together"),
    ] {
        let output = check(directory(file).path(), environment);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.starts_with(error), "{said}");
    }
}

#[test]
fn every_command_stops_at_an_unknown_key() {
    let directory = directory("[shop]\nnmae = \"Linen\"\n");
    let mut command = Command::new(env!("CARGO_BIN_EXE_souk"));
    let output = command.arg("migrate").current_dir(directory.path()).env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr), "souk: souk.toml: unknown key shop.nmae; did you mean shop.name?\n");
}
