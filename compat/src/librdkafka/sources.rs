//! librdkafka with its tests: fetched from a registry, built once into the cache.
//! shell: npm, apt-get, make.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
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
            require("apt-get", "librdkafka's source package needs Debian's apt-get with a deb-src source")?;
            step("apt-get source", "apt-get source -y librdkafka=2.0.2-1", FETCH_LIMIT)?;
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

/// A folder that looks to the tests like Kafka's own: the two scripts they call, over the reference's jars.
pub fn kafka_path(work_dir: &Path) -> Outcome<PathBuf> {
    let class_path = crate::reference::classpath()?;
    let home = work_dir.join("kafka");
    fs::create_dir_all(home.join("bin"))?;
    for (script, class) in [("kafka-topics.sh", "TopicCommand"), ("kafka-acls.sh", "AclCommand")] {
        let path = home.join("bin").join(script);
        let text = format!(
            "#!/bin/sh\nexec java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
             -Dlog4j2.configurationFile=log4j2.properties -cp '{class_path}' org.apache.kafka.tools.{class} \"$@\"\n"
        );
        fs::write(&path, text).while_doing(|| format!("writing {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(home)
}

/// Every test of the suite but manual ones (from 8000), as its table of tests has them.
pub fn test_names(tests_dir: &Path) -> Outcome<Vec<String>> {
    let path = tests_dir.join("test.c");
    let text = fs::read_to_string(&path).while_doing(|| format!("reading {}", path.display()))?;
    let names = names_in(&text);
    if names.is_empty() { fail(format!("no tests in {}", path.display())) } else { Ok(names) }
}

fn names_in(text: &str) -> Vec<String> {
    let is_name_byte = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.lines()
        .filter_map(|line| line.trim_start().strip_prefix("_TEST("))
        .map(|rest| rest.chars().take_while(|c| is_name_byte(*c)).collect::<String>())
        .filter(|name| name.starts_with(|c: char| c.is_ascii_digit()) && !name.starts_with('8'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::names_in;

    #[test]
    fn the_table_of_tests_names_them_without_manual_ones() {
        let text = "#define _TEST(name, f) \\\n    _TEST(0001_multiobj, 0),\n    _TEST(0011_batch,\n  0),\n    _TEST(8000_idle, F),";
        assert_eq!(names_in(text), ["0001_multiobj", "0011_batch"]);
    }
}
