//! Groups on topics that are not there yet: they must get the partitions that come, and what is written to them.
//! Shell: client processes and the clock.
//!
//! kafka-go hangs for ever where the topic comes between its leader's look and the first look of its watcher. On
//! Apache Kafka that happens to about one group in ten; Ottla must never let it happen (docs/decisions/0018).

use std::time::{Duration, Instant};

use crate::contract::{Client, Event, Program};
use crate::failure::{Outcome, While, fail};
use crate::places::now_ms;
use crate::steps::{Setting, Steps};

/// A client may see the topic at its second look, or at its first after some backoff.
const LIMIT: Duration = Duration::from_secs(30);
/// Each is a race of its own.
const GROUPS: usize = 8;

pub fn play(program: &Program, setting: &Setting, steps: &mut Steps) -> Outcome<()> {
    steps.step("absent", || {
        let mut members = Vec::with_capacity(GROUPS);
        for number in 0..GROUPS {
            let topic = format!("{}-absent-{number}", setting.namespace);
            let role = format!("absent-{number}");
            let mut member = Client::start(program, &role, &setting.bootstrap, &setting.work_dir)?;
            member.tell(&format!("member {topic} {topic}-group"))?;
            members.push((topic, member));
        }
        let mut driver = Client::start(program, "absent", &setting.bootstrap, &setting.work_dir)?;
        let mut served = 0;
        for (topic, mut member) in members {
            match serve(&topic, &mut member, &mut driver) {
                Ok(()) => served += 1,
                Err(failure) if setting.changes_at_once => return Err(failure),
                Err(_met_the_race) => {}
            }
        }
        if served == 0 {
            return fail("no group got its partition");
        }
        driver.tell("quit")?;
        driver.wait_for_end(LIMIT)
    })
}

/// Waits until the member has the topic's first partition, and reads what is written to it.
fn serve(topic: &str, member: &mut Client, driver: &mut Client) -> Outcome<()> {
    let is_assigned = |event: &Event| matches!(event, Event::Assigned(partitions) if partitions.contains(&0));
    wait_for(member, "its partition", is_assigned).while_doing(|| format!("a group on {topic}"))?;
    driver.ask(&format!("produce {topic} none 0 1 100 {}", now_ms()), LIMIT)?;
    wait_for(member, "the record", |event| matches!(event, Event::Record(_)))?;
    member.tell("leave")?;
    wait_for(member, "its end", |event| *event == Event::Left)?;
    member.wait_for_end(LIMIT)
}

fn wait_for(member: &mut Client, what: &str, is_it: impl Fn(&Event) -> bool) -> Outcome<()> {
    let deadline = Instant::now() + LIMIT;
    let mut heard = Vec::new();
    while Instant::now() < deadline {
        let Some(event) = member.next_event(deadline)? else { break };
        if is_it(&event) {
            return Ok(());
        }
        heard.push(event);
    }
    fail(format!("the member did not get {what}; it said {heard:?}"))
}
