//! The command lines of share groups: reading with one, and looking at it, setting it back, deleting it.
//! Shell: child processes.

use super::{CONFIGS, LINE_COUNT, Tools, expect};
use crate::failure::{Outcome, fail};

const SHARE_CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleShareConsumer";
const SHARE_GROUPS: &str = "org.apache.kafka.tools.consumer.group.ShareGroupCommand";

impl Tools<'_> {
    fn share_group(&self) -> String {
        format!("{}-share", self.setting.namespace)
    }

    /// All records, each once, from the beginning.
    pub(super) fn share_consumer(&mut self) -> Outcome<()> {
        let (topic, group) = (self.topic.clone(), self.share_group());
        let about = ["--entity-type", "groups", "--entity-name", &group];
        self.ask(
            CONFIGS,
            &[&about[..], &["--alter", "--add-config", "share.auto.offset.reset=earliest"]].concat(),
        )?;
        self.until_in_force(|tools| {
            let text = tools.ask(CONFIGS, &[&about[..], &["--describe"]].concat())?;
            expect(&text, &["share.auto.offset.reset=earliest"])
        })?;
        let count = LINE_COUNT.to_string();
        let arguments =
            ["--topic", &topic, "--group", &group, "--max-messages", &count, "--timeout-ms", "40000"];
        let text = self.ask(SHARE_CONSUMER, &arguments)?;
        let mut came: Vec<&str> = text.lines().collect();
        came.sort_unstable();
        let mut produced: Vec<String> = (0..LINE_COUNT).map(|number| format!("line {number}")).collect();
        produced.sort_unstable();
        if came == produced {
            return Ok(());
        }
        fail(format!("{} lines were produced, {} came", produced.len(), came.len()))
    }

    pub(super) fn share_groups(&mut self) -> Outcome<()> {
        let (topic, group) = (self.topic.clone(), self.share_group());
        expect(&self.ask(SHARE_GROUPS, &["--list"])?, &[&group])?;
        let about = ["--group", &group];
        expect(&self.ask(SHARE_GROUPS, &[&about[..], &["--describe", "--state"]].concat())?, &["Empty"])?;
        let read = self.share_offsets()?;
        if read.is_empty() || read.iter().any(|(_, lag)| *lag != 0) {
            return fail(format!(
                "after all records the share group is told to be at {read:?} with this lag"
            ));
        }
        let reset = ["--reset-offsets", "--topic", &topic, "--to-earliest", "--execute"];
        self.ask(SHARE_GROUPS, &[&about[..], &reset].concat())?;
        let back = self.share_offsets()?;
        let lag: i64 = back.iter().map(|(_, lag)| lag).sum();
        if back.iter().any(|(offset, _)| *offset != 0) || lag != LINE_COUNT as i64 {
            return fail(format!(
                "after a reset to the earliest the share group is at {back:?} with this lag"
            ));
        }
        self.ask(SHARE_GROUPS, &[&about[..], &["--delete-offsets", "--topic", &topic]].concat())?;
        let forgotten = self.share_offsets()?;
        if !forgotten.is_empty() {
            return fail(format!("offsets that were deleted are still told: {forgotten:?}"));
        }
        expect(&self.ask(SHARE_GROUPS, &[&about[..], &["--delete"]].concat())?, &["was successful"])?;
        if self.ask(SHARE_GROUPS, &["--list"])?.lines().any(|line| line == group) {
            return fail("the deleted share group is still listed");
        }
        Ok(())
    }

    /// Where the group begins in each partition that it has read, and its lag.
    fn share_offsets(&mut self) -> Outcome<Vec<(i64, i64)>> {
        let (topic, group) = (self.topic.clone(), self.share_group());
        let text = self.ask(SHARE_GROUPS, &["--group", &group, "--describe", "--offsets"])?;
        // GROUP TOPIC PARTITION START-OFFSET LAG
        let rows = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let rows = rows.filter(|words| words.get(1) == Some(&topic.as_str()));
        Ok(rows
            .filter_map(|words| Some((words.get(3)?.parse().ok()?, words.get(4)?.parse().ok()?)))
            .collect())
    }
}
