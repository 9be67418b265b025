//! What other programs say of our files: xmllint with nmap's DTD, ndiff, and readers in Python. Where a program is not
//! installed the test is skipped by name; `REQUIRE_JUDGES=1` makes that a failure.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::lab::alone;

/// nmap's package has it.
pub const DTD: &str = "/usr/share/nmap/nmap.dtd";

/// What a zone may be called: an interface name may hold any byte but a few.
const HOSTILE: &str = "=1\"<&]]>\u{1b}[2J";

/// One scan of hosts with open, closed and filtered ports, IPv4 and IPv6, and a zone with a hostile name.
struct Scene {
    folder: TempDir,
    _servers: Vec<TcpListener>,
}

impl Scene {
    /// Only inside a namespace.
    fn set() -> Self {
        for line in [
            "nft add table inet t",
            "nft add chain inet t in '{ type filter hook input priority 0; }'",
            "nft add rule inet t in tcp dport 4000-4039 drop",
            "nft add rule inet t in tcp dport 4050 reject with icmpx admin-prohibited",
            &format!("ip link add '{HOSTILE}' type veth peer name other"),
            &format!("ip link set '{HOSTILE}' up; ip link set other up"),
            &format!("ip address add fe80::77/64 dev '{HOSTILE}' nodad"),
        ] {
            alone::run(line);
        }
        let zone = alone::interface(HOSTILE);
        let mut servers = vec![server("127.0.0.1:4100"), server("127.0.0.1:4101")];
        servers.push(server("[::1]:4102"));
        servers.push(server(&format!("[fe80::77%{zone}]:4103")));
        Self {
            folder: TempDir::new().expect("a folder"),
            _servers: servers,
        }
    }

    /// Scans it in this mode, with one output for each format that programs read.
    fn scan(&self, mode: &str, show: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_halfopen"));
        command
            .current_dir(self.folder.path())
            .args(["-q", "-m", mode, "127.0.0.1", "::1", "--overwrite"])
            .args(["--show", show, "--patience", "500ms", "-p", "4000-4110"])
            .arg(format!("fe80::77%{HOSTILE}"));
        for extension in ["xml", "jsonl", "csv", "list", "gnmap"] {
            command.args(["-o", &format!("scan.{extension}")]);
        }
        let output = command.output().expect("the program starts");
        assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
        output
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }
}

#[expect(clippy::disallowed_methods, reason = "the test's own servers")]
fn server(at: &str) -> TcpListener {
    let at: SocketAddr = at.parse().expect("an address");
    TcpListener::bind(at).expect("a free port")
}

fn shown(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// Whether the test can be had here.
pub fn is_here(test: &str, programs: &[&str], files: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed =
        |program: &&&str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let missing: Vec<&str> = programs
        .iter()
        .filter(|program| !installed(program))
        .chain(files.iter().filter(|file| !Path::new(file).exists()))
        .copied()
        .collect();
    if missing.is_empty() {
        return true;
    }
    let required = std::env::var_os("REQUIRE_JUDGES").is_some_and(|value| value == "1");
    assert!(!required, "{test} needs {missing:?}");
    println!("SKIPPED {test}: not installed: {}", missing.join(", "));
    false
}

/// nmap's DTD with the one override that lets another scanner name itself.
pub fn validated(xml: &Path, folder: &Path) -> Output {
    let mut dtd = b"<!ATTLIST nmaprun scanner CDATA #REQUIRED>\n".to_vec();
    dtd.extend(fs::read(DTD).expect("nmap's DTD"));
    let path = folder.join("nmap.dtd");
    fs::write(&path, dtd).expect("a file");
    let mut command = Command::new("xmllint");
    command.args(["--noout", "--nonet", "--dtdvalid"]);
    command.arg(path).arg(xml).output().expect("xmllint")
}

#[test]
fn xml_is_valid_by_nmaps_own_dtd() {
    const NAME: &str = "judges::xml_is_valid_by_nmaps_own_dtd";
    if !is_here(NAME, &["xmllint"], &[DTD]) {
        return;
    }
    alone::inside(NAME, || {
        let scene = Scene::set();
        for (mode, show) in [("syn", "open,suspect"), ("connect", "all")] {
            scene.scan(mode, show);
            let xml = scene.path("scan.xml");
            let judged = validated(&xml, scene.folder.path());
            assert!(judged.status.success(), "{}", shown(&judged));
            let text = fs::read_to_string(&xml).expect("text");
            for part in [
                "portid=\"4100\"><state state=\"open\" reason=\"syn-ack\"",
                "portid=\"4102\"><state state=\"open\" reason=\"syn-ack\"",
                "<extraports state=\"closed\" count=\"68\">",
                "<extrareasons reason=\"no-response\" count=\"40\" proto=\"tcp\"/>",
                "<address addr=\"::1\" addrtype=\"ipv6\"/>",
            ] {
                assert!(text.contains(part), "{mode}: {part} in\n{text}");
            }
        }
        // The judge does judge.
        let text = fs::read_to_string(scene.path("scan.xml")).expect("text");
        let broken = scene.path("broken.xml");
        fs::write(&broken, text.replace("<verbose level=\"0\"/>", "")).expect("a file");
        let judged = validated(&broken, scene.folder.path());
        assert!(!judged.status.success());
    });
}

#[test]
fn ndiff_sees_no_difference_between_the_modes() {
    const NAME: &str = "judges::ndiff_sees_no_difference_between_the_modes";
    if !is_here(NAME, &["ndiff"], &[]) {
        return;
    }
    alone::inside(NAME, || {
        let mut scene = Scene::set();
        let ndiff = |scene: &Scene, old: &str, new: &str| {
            let mut command = Command::new("ndiff");
            command.current_dir(scene.folder.path()).args([old, new]);
            command.output().expect("ndiff")
        };
        scene.scan("syn", "open,suspect");
        fs::rename(scene.path("scan.xml"), scene.path("syn.xml")).expect("its file");
        scene.scan("connect", "open,suspect");
        let same = ndiff(&scene, "syn.xml", "scan.xml");
        assert_eq!(same.status.code(), Some(0), "{}", shown(&same));
        // The judge does judge.
        scene._servers.truncate(2);
        scene.scan("connect", "open,suspect");
        let other = ndiff(&scene, "syn.xml", "scan.xml");
        assert_eq!(other.status.code(), Some(1), "{}", shown(&other));
        assert!(
            shown(&other).contains("-4102/tcp open"),
            "{}",
            shown(&other)
        );
    });
}

#[test]
fn independent_readers_find_the_same_in_every_format() {
    const NAME: &str = "judges::independent_readers_find_the_same_in_every_format";
    if !is_here(NAME, &["python3"], &[]) {
        return;
    }
    alone::inside(NAME, || {
        let scene = Scene::set();
        scene.scan("syn", "open,suspect");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/judges/read_back.py");
        let output = Command::new("python3")
            .arg(script)
            .arg(scene.folder.path())
            .output()
            .expect("python3");
        assert!(output.status.success(), "{}", shown(&output));
        let read: BTreeMap<String, Value> = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(read.len(), 5);
        let truth = serde_json::json!([
            ["127.0.0.1", 4100, "open"],
            ["127.0.0.1", 4101, "open"],
            ["::1", 4102, "open"],
            ["fe80::77", 4103, "open"],
        ]);
        for (format, found) in read {
            assert_eq!(found, truth, "{format}");
        }
        // The name of the zone is in each of them, as its own rules write it.
        for (name, part) in [
            ("scan.xml", r"zone =1&quot;&lt;&amp;]]&gt;\x1b[2J"),
            ("scan.jsonl", r#"fe80::77%=1\"<&]]>\u001b[2J"#),
            ("scan.csv", r#""fe80::77%=1""<&]]>\x1b[2J""#),
            (
                "scan.list",
                r"fe80::77%\x3d1\x22\x3c\x26\x5d\x5d\x3e\x1b\x5b2J",
            ),
            (
                "scan.gnmap",
                r"fe80::77%\x3d1\x22\x3c\x26\x5d\x5d\x3e\x1b\x5b2J",
            ),
        ] {
            let text = fs::read_to_string(scene.path(name)).expect("text");
            assert!(text.contains(part), "{name}: {text}");
        }
    });
}

#[test]
fn a_disk_that_fills_up_leaves_a_valid_document_and_a_finished_scan() {
    const NAME: &str = "judges::a_disk_that_fills_up_leaves_a_valid_document_and_a_finished_scan";
    if !is_here(NAME, &["xmllint"], &[DTD]) {
        return;
    }
    alone::inside(NAME, || {
        let folder = TempDir::new().expect("a folder");
        let at = folder.path().display();
        // A disk of 64 KiB, of which nobody outside this mount namespace knows; what was on it is copied out.
        let line = format!(
            "mkdir {at}/disk && mount -t tmpfs -o size=64k none {at}/disk && cd {at}/disk && \
             {{ {program} -q -m connect 127.0.1.0/24 -p 2-31 --rate 6000 --show all -o scan.xml -o scan.jsonl; \
             echo $? >{at}/exit; cp scan.* {at}/; }}",
            program = env!("CARGO_BIN_EXE_halfopen"),
        );
        let output = Command::new("unshare")
            .args(["-m", "sh", "-c", &line])
            .stdout(File::create(folder.path().join("stdout")).expect("a file"))
            .output()
            .expect("unshare");
        let told = shown(&output);
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect(name);
        assert_eq!(read("exit"), "5\n", "{told}");
        assert_eq!(
            told.matches("error: cannot write to \"scan.").count(),
            2,
            "{told}"
        );
        assert!(
            read("stdout").ends_with("; complete\n"),
            "{}",
            read("stdout")
        );
        let judged = validated(&folder.path().join("scan.xml"), folder.path());
        assert!(judged.status.success(), "{}", shown(&judged));
        assert!(read("scan.xml").contains("not complete: interrupted"));
        for line in read("scan.jsonl").lines() {
            serde_json::from_str::<Value>(line).expect("every line is whole");
        }
    });
}
