//! `make up` on a system without Rust, up to the fetch of rustup: a copy of the scripts on a PATH that holds nothing
//! but the tools they name, with stand-ins for the package manager and for rustup-init.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

const TOOLS: [&str; 18] = [
    "bash",
    "sh",
    "make",
    "dirname",
    "sed",
    "grep",
    "mkdir",
    "mktemp",
    "rm",
    "chmod",
    "sha256sum",
    "cat",
    "cp",
    "ln",
    "sleep",
    "env",
    "curl",
    "wget",
];

/// What stands in for rustup-init: installs a cargo that notes how it is called.
const RUSTUP_INIT: &str = r#"#!/bin/sh
echo "rustup-init $*" >> "$HOME/calls"
mkdir -p "$HOME/.cargo/bin"
printf '#!/bin/sh\necho "cargo $*" >> "$HOME/calls"\n' > "$HOME/.cargo/bin/cargo"
chmod +x "$HOME/.cargo/bin/cargo"
"#;

/// A system of its own.
struct System {
    root: tempfile::TempDir,
    mirror: String,
}

struct Ran {
    code: Option<i32>,
    said: String,
    /// How the stand-ins were called.
    calls: String,
}

fn executable(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn on_path(tool: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let found = std::env::split_paths(&path).map(|folder| folder.join(tool)).find(|file| file.exists());
    found.unwrap_or_else(|| panic!("this machine has no {tool}"))
}

/// Serves one file at every path, for as long as the test runs.
fn file_server(file: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut head, mut piece) = (Vec::new(), [0; 1024]);
            while !head.ends_with(b"\r\n\r\n") {
                let length = stream.read(&mut piece).unwrap();
                head.extend_from_slice(&piece[..length]);
            }
            let length = file.len();
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{file}").unwrap();
        }
    });
    format!("http://{address}")
}

fn sha256(file: &Path) -> String {
    let output = Command::new("sha256sum").arg(file).output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

impl System {
    /// Without Rust, and with a package manager that knows no rustup. The pinned hash is that of the stand-in.
    fn new(mirror: String) -> Self {
        let root = tempfile::tempdir().unwrap();
        let (project, bin) = (root.path().join("souk"), root.path().join("bin"));
        fs::create_dir_all(project.join("scripts")).unwrap();
        fs::create_dir_all(&bin).unwrap();
        for file in ["Makefile", "rust-toolchain.toml", "scripts/common.sh", "scripts/ensure-rust"] {
            fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(file), project.join(file)).unwrap();
        }
        for tool in TOOLS {
            symlink(on_path(tool), bin.join(tool)).unwrap();
        }
        executable(&bin.join("cc"), "#!/bin/sh\n");
        executable(&bin.join("id"), "#!/bin/sh\necho 0\n");
        executable(&bin.join("uname"), "#!/bin/sh\necho x86_64\n");
        executable(&bin.join("apt-cache"), "#!/bin/sh\nexit 100\n");
        executable(&bin.join("apt-get"), "#!/bin/sh\necho \"apt-get $*\" >> \"$HOME/calls\"\n");
        let system = Self { root, mirror };
        let stand_in = system.path("rustup-init");
        fs::write(&stand_in, RUSTUP_INIT).unwrap();
        system.pin(&sha256(&stand_in));
        system
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn pin(&self, sum: &str) {
        let pins = format!("{sum}  archive/1.0.0/x86_64-unknown-linux-gnu/rustup-init\n");
        fs::write(self.path("souk/scripts/rustup-init.sha256"), pins).unwrap();
    }

    fn without(self, tools: &[&str]) -> Self {
        tools.iter().for_each(|tool| fs::remove_file(self.path("bin").join(tool)).unwrap());
        self
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Ran {
        let output = Command::new(self.path("bin").join(program))
            .args(arguments)
            .current_dir(self.path("souk"))
            .env_clear()
            .env("PATH", self.path("bin"))
            .env("HOME", self.root.path())
            .env("RUSTUP_UPDATE_ROOT", &self.mirror)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        Ran {
            code: output.status.code(),
            said: String::from_utf8_lossy(&said).into_owned(),
            calls: fs::read_to_string(self.path("calls")).unwrap_or_default(),
        }
    }

    /// What is left in the cache and the home besides the stand-ins' own files.
    fn is_untouched(&self) -> bool {
        let cache = fs::read_dir(self.path(".cache/souk")).map_or(0, Iterator::count);
        cache == 0 && [".profile", ".bashrc", ".bash_profile"].iter().all(|file| !self.path(file).exists())
    }
}

fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn without_rust_and_a_package_of_it_rustup_is_fetched_and_the_same_run_goes_on() {
    for missing in [&[][..], &["curl"]] {
        let system = System::new(file_server(RUSTUP_INIT)).without(missing);
        let ran = system.run("make", &["up", "ARGS=--no-demo"]);
        assert_eq!(ran.code, Some(0), "{}", ran.said);
        let calls: Vec<&str> = ran.calls.lines().collect();
        assert_eq!(calls[0], "rustup-init -y --no-modify-path --profile minimal --default-toolchain none");
        assert_eq!(*calls.last().unwrap(), "cargo run --release -- up --no-demo");
        assert!(system.is_untouched(), "{}", ran.said);

        // Later runs find it, though no profile names it.
        let again = system.run("make", &["fmt"]);
        assert_eq!((again.code, again.calls.lines().last()), (Some(0), Some("cargo fmt --all")), "{}", again.said);
    }
}

#[test]
fn a_file_with_another_hash_is_not_run() {
    let system = System::new(file_server(RUSTUP_INIT));
    system.pin(&"0".repeat(64));
    let ran = system.run("bash", &["scripts/ensure-rust"]);
    assert_eq!((ran.code, ran.calls.as_str()), (Some(1), ""), "{}", ran.said);
    assert!(ran.said.contains("is not the pinned rustup-init") && ran.said.contains(&system.mirror), "{}", ran.said);
    assert!(system.is_untouched(), "{}", ran.said);
    assert_eq!(system.run("make", &["up"]).code, Some(2), "make stops there");
}

#[test]
fn without_a_network_the_reason_and_the_address_are_printed() {
    let system = System::new(closed_port());
    let ran = system.run("bash", &["scripts/ensure-rust"]);
    assert_eq!((ran.code, ran.calls.as_str()), (Some(1), ""), "{}", ran.said);
    let address = format!("{}/archive/1.0.0/x86_64-unknown-linux-gnu/rustup-init", system.mirror);
    assert!(ran.said.contains(&format!("cannot be fetched from {address}")), "{}", ran.said);
    assert!(system.is_untouched(), "{}", ran.said);
}

#[test]
fn a_machine_without_a_pinned_file_or_a_program_that_fetches_gets_instructions() {
    let system = System::new(closed_port());
    executable(&system.path("bin/uname"), "#!/bin/sh\necho riscv64\n");
    let ran = system.run("bash", &["scripts/ensure-rust"]);
    assert_eq!(ran.code, Some(1), "{}", ran.said);
    assert!(ran.said.contains("no rustup-init is pinned for riscv64"), "{}", ran.said);

    // curl is installed like any other package that is missing, and used.
    let system = System::new(file_server(RUSTUP_INIT)).without(&["curl", "wget"]);
    let install = format!(
        "#!/bin/sh\necho \"apt-get $*\" >> \"$HOME/calls\"\n[ \"$1\" = update ] || ln -s {} {}\n",
        on_path("curl").display(),
        system.path("bin/curl").display()
    );
    executable(&system.path("bin/apt-get"), &install);
    let ran = system.run("bash", &["scripts/ensure-rust"]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert!(ran.calls.contains("curl ca-certificates\nrustup-init"), "{}", ran.calls);
}

#[test]
fn a_package_of_rustup_goes_before_the_fetch() {
    let system = System::new(closed_port());
    executable(&system.path("bin/apt-cache"), "#!/bin/sh\n");
    let ran = system.run("bash", &["scripts/ensure-rust"]);
    // The stand-in installs nothing.
    assert_eq!(ran.code, Some(1), "{}", ran.said);
    assert!(ran.calls.contains("--no-install-recommends rustup\n"), "{}", ran.calls);
    assert!(ran.said.contains("Rust is missing"), "{}", ran.said);
}

#[test]
fn the_pins_are_those_of_one_version_for_both_machines() {
    let pins = include_str!("../scripts/rustup-init.sha256");
    let lines: Vec<(&str, &str)> = pins.lines().map(|line| line.split_once("  ").unwrap()).collect();
    for (line, machine) in lines.iter().zip(["x86_64", "aarch64"]) {
        let (sum, path) = line;
        assert!(sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit()), "{sum}");
        assert_eq!(*path, format!("archive/1.28.2/{machine}-unknown-linux-gnu/rustup-init"));
    }
    assert_eq!(lines.len(), 2);
}
