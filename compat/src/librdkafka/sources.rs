//! librdkafka with its tests: fetched from a registry, built once into the cache.
//! Shell: npm, apt-get, make.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::clients::prepare_apt;
use crate::failure::{Outcome, While, fail};
use crate::places::cache_dir;
use crate::process::{require, run};

const FETCH_LIMIT: Duration = Duration::from_secs(300);
const BUILD_LIMIT: Duration = Duration::from_secs(1_800);

/// The libraries librdkafka is built with, and a file that each package brings.
const DEVELOPMENT_PACKAGES: [(&str, &str); 7] = [
    ("zlib1g-dev", "zlib.h"),
    ("libssl-dev", "openssl/ssl.h"),
    ("libsasl2-dev", "sasl/sasl.h"),
    ("libzstd-dev", "zstd.h"),
    ("liblz4-dev", "lz4.h"),
    ("libcurl4-openssl-dev", "curl/curl.h"),
    ("rapidjson-dev", "rapidjson/rapidjson.h"),
];

/// Fetches Debian's source package by way of lists of its own, so that the machine's sources stay as they are.
const DEBIAN_SOURCE: &str = r#"
mkdir -p apt/parts apt/lists/partial
for list in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
    if [ -e "$list" ]; then
        sed -e 's/^Types:.*/Types: deb-src/' -e 's/^deb /deb-src /' "$list" > "apt/parts/$(basename "$list" .list)"
    fi
done
[ ! -e apt/parts/sources ] || mv apt/parts/sources apt/parts/debian.list
own="-o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts=$PWD/apt/parts -o Dir::State::Lists=$PWD/apt/lists
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=$(id -un)"
apt-get $own update
apt-get $own source -y librdkafka=2.0.2-1
"#;

/// One entry of the suite's table of tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    pub name: String,
    /// It never leaves the client (unit tests, the client's mock cluster), so which broker runs is the same to it.
    pub client_only: bool,
    pub scenario: Scenario,
}

/// What a test asks of its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scenario {
    Default,
    /// Topics are not created on their own.
    NoAutoCreate,
}

impl Scenario {
    /// The suite's own word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::NoAutoCreate => "noautocreate",
        }
    }
}

/// A librdkafka whose tests are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Version {
    /// The newest, from the npm package `@confluentinc/kafka-javascript`.
    #[value(name = "2.15.1")]
    Newest,
    /// An old client, from Debian's source package.
    #[value(name = "2.0.2")]
    Old,
}

impl Version {
    pub fn name(self) -> &'static str {
        match self {
            Self::Newest => "2.15.1",
            Self::Old => "2.0.2",
        }
    }
}

/// The folder `tests` with a built `test-runner`.
pub fn tests_dir(version: Version, say: &dyn Fn(&str)) -> Outcome<PathBuf> {
    let home = cache_dir()?.join(format!("librdkafka-{}", version.name()));
    let sources = match version {
        Version::Newest => home.join("package/deps/librdkafka"),
        Version::Old => home.join(format!("librdkafka-{}", version.name())),
    };
    let (tests, done) = (sources.join("tests"), home.join("complete"));
    if done.exists() {
        return Ok(tests);
    }
    require("make", "make (apt: build-essential)")?;
    require("c++", "a C++ compiler (apt: build-essential)")?;
    for (package, header) in DEVELOPMENT_PACKAGES {
        if !has_header(header) {
            prepare_apt(package, &Path::new("/usr/include").join(header), say)?;
        }
    }
    let _ = fs::remove_dir_all(&home);
    fs::create_dir_all(&home)?;
    let step = |name: &str, script: &str, limit: Duration| {
        let mut command = Command::new("sh");
        command.args(["-ec", script]).current_dir(&home);
        run(name, &mut command, &home.join("prepare.log"), limit)
    };
    say(&format!("librdkafka {} and its tests (built once, some minutes)", version.name()));
    match version {
        Version::Newest => {
            require("npm", "npm (apt: npm)")?;
            step(
                "npm pack",
                "npm pack @confluentinc/kafka-javascript@1.10.1 && tar xzf *.tgz package/deps/librdkafka",
                FETCH_LIMIT,
            )?;
        }
        Version::Old => {
            require("apt-get", "librdkafka's source package needs Debian's apt-get")?;
            step("apt-get source", DEBIAN_SOURCE, FETCH_LIMIT)?;
        }
    }
    let build =
        format!("cd '{}' && ./configure && make -j2 libs && make -j2 -C tests build", sources.display());
    step("make", &build, BUILD_LIMIT)?;
    fs::write(&done, "")?;
    Ok(tests)
}

/// Some headers lie in a folder of the processor's own.
fn has_header(header: &str) -> bool {
    let machine = format!("/usr/include/{}-linux-gnu", std::env::consts::ARCH);
    ["/usr/include", &machine].iter().any(|dir| Path::new(dir).join(header).exists())
}

/// A folder that looks to the tests like Kafka's own: the scripts that they call, and the jars that they compile against.
pub fn kafka_path(work_dir: &Path) -> Outcome<PathBuf> {
    let class_path = crate::reference::classpath()?;
    let home = work_dir.join("kafka");
    fs::create_dir_all(home.join("bin"))?;
    symlink(crate::reference::libs_dir()?, home.join("libs"))?;
    let java = "exec java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
                -Dlog4j2.configurationFile=log4j2.properties";
    let tool = |class: &str| format!("{java} -cp '{class_path}' org.apache.kafka.tools.{class} \"$@\"");
    let scripts = [
        ("kafka-topics.sh", tool("TopicCommand")),
        ("kafka-acls.sh", tool("AclCommand")),
        // The tests bring classes of their own, in the variable.
        ("kafka-run-class.sh", format!("{java} -cp \"$CLASSPATH:{class_path}\" \"$@\"")),
    ];
    for (script, line) in scripts {
        let path = home.join("bin").join(script);
        fs::write(&path, format!("#!/bin/sh\n{line}\n"))
            .while_doing(|| format!("writing {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(home)
}

/// Every test of the suite but manual ones (from 8000), as its table of tests has them.
pub fn tests(tests_dir: &Path) -> Outcome<Vec<Test>> {
    let path = tests_dir.join("test.c");
    let text = fs::read_to_string(&path).while_doing(|| format!("reading {}", path.display()))?;
    let tests = tests_in(&text);
    if tests.is_empty() { fail(format!("no tests in {}", path.display())) } else { Ok(tests) }
}

fn tests_in(text: &str) -> Vec<Test> {
    let is_name_byte = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split("_TEST(")
        .skip(1)
        .map(|entry| {
            let name: String = entry.chars().take_while(|c| is_name_byte(*c)).collect();
            let scenario = if entry.contains(".scenario = \"noautocreate\"") {
                Scenario::NoAutoCreate
            } else {
                Scenario::Default
            };
            Test { name, client_only: entry.contains("TEST_F_LOCAL"), scenario }
        })
        .filter(|test| test.name.starts_with(|c: char| c.is_ascii_digit()) && !test.name.starts_with('8'))
        // A comment above the table shows how an entry looks.
        .filter(|test| test.name.contains('_'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Scenario, Test, tests_in};

    fn test(name: &str, client_only: bool, scenario: Scenario) -> Test {
        Test { name: name.to_owned(), client_only, scenario }
    }

    #[test]
    fn the_table_of_tests_says_what_each_needs_and_leaves_manual_ones_out() {
        let text = "#define _TEST(name, f) \\\n *  _TEST(00...., ...,\n    _TEST(0001_multiobj, 0),\n    \
            _TEST(0011_batch_local,\n  TEST_F_LOCAL),\n _TEST(0107_again, 0,\n .scenario = \"noautocreate\"),\n \
            _TEST(8000_idle, F),";
        assert_eq!(
            tests_in(text),
            [
                test("0001_multiobj", false, Scenario::Default),
                test("0011_batch_local", true, Scenario::Default),
                test("0107_again", false, Scenario::NoAutoCreate),
            ]
        );
    }
}
