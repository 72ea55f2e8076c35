//! Subscriptions by regular expression.
//! Core.

use super::*;

impl Lab {
    fn join_pattern(&mut self, member: &str, pattern: &str) -> ConsumerHeartbeatOutcome {
        let beat = Beat { topics: None, pattern: Some(pattern), ..Beat::join(member, &[]) };
        self.send(&beat.as_heartbeat()).expect("it may join")
    }

    fn resolve(&mut self, outcome: &ConsumerHeartbeatOutcome) {
        let task = outcome.patterns.as_ref().expect("something to resolve");
        let resolved = task.resolve(&self.topics, self.wall_ms);
        let topics = self.topics.clone();
        let effects = self.shard.on_patterns_resolved(GROUP, resolved, &topics);
        self.perform(effects);
    }
}

#[test]
fn a_pattern_is_resolved_behind_the_first_answer() {
    let mut lab = Lab::new(&[("t", 1), ("tt", 1), ("hidden-t", 1)]);
    let joined = lab.join_pattern("a", "t|.*-t");
    assert_eq!((joined.member_epoch, partitions(&joined)), (1, Some(vec![])));
    lab.resolve(&joined);
    let beat = lab.beat("a", 1).expect("a member");
    assert_eq!((beat.member_epoch, partitions(&beat)), (2, Some(vec![0])), "the whole name has to match");
    assert_eq!(beat.assignment.map(|all| all.len()), Some(1), "what may not be seen is not read");
    assert_eq!(beat.patterns, None);
    assert!(lab.group().is_subscribed_to_topic("t") && !lab.group().is_subscribed_to_topic("tt"));
}

#[test]
fn patterns_are_looked_at_again_when_topics_came_but_not_all_the_time() {
    let mut lab = Lab::new(&[("t", 1)]);
    let joined = lab.join_pattern("a", "t.*");
    assert_eq!(lab.beat("a", 1).expect("a member").patterns, None, "it is under way");
    lab.resolve(&joined);
    lab.beat("a", 1).expect("a member");
    lab.set_topics(&[("t", 1), ("t2", 1)]);
    assert_eq!(lab.beat("a", 2).expect("a member").patterns, None, "ten seconds have not passed");
    lab.advance(10_001);
    let beat = lab.beat("a", 2).expect("a member");
    lab.resolve(&beat);
    assert_eq!(lab.beat("a", 2).expect("a member").assignment.map(|all| all.len()), Some(2));
    lab.advance(10_001);
    assert_eq!(lab.beat("a", 3).expect("a member").patterns, None, "nothing new");
    // A wall clock that was set back holds nothing up.
    lab.set_topics(&[("t", 1), ("t2", 1), ("t3", 1)]);
    lab.wall_ms -= 3_600_000;
    assert!(lab.beat("a", 3).expect("a member").patterns.is_some());
}

#[test]
fn a_pattern_goes_with_its_last_member() {
    let mut lab = Lab::new(&[("t", 2), ("u", 1)]);
    let joined = lab.join_pattern("a", "t");
    lab.resolve(&joined);
    let second = lab.join_pattern("b", "t");
    assert_eq!(second.patterns, None, "it is resolved already");
    lab.leave("a");
    assert!(lab.group().is_subscribed_to_topic("t"));
    let change = Beat {
        member: "b",
        epoch: second.member_epoch,
        pattern: Some(""),
        topics: Beat::join("b", &["u"]).topics,
        ..Beat::default()
    };
    lab.send(&change.as_heartbeat()).expect("a member");
    assert!(!lab.group().is_subscribed_to_topic("t") && lab.group().is_subscribed_to_topic("u"));
    assert!(lab.group().patterns.is_empty() && lab.group().pattern_members.is_empty());
    lab.restart();
    assert!(lab.group().patterns.is_empty() && lab.group().pattern_members.is_empty());
}

#[test]
fn an_invalid_pattern_is_refused_before_anything_is_written() {
    let mut lab = Lab::new(&[("t", 1)]);
    for (pattern, why) in [
        ("[", "missing closing ]"),
        ("(", "missing closing )"),
        (")", "regexp/syntax: internal error"),
        ("*", "missing argument to repetition operator"),
        ("(?!new)", "invalid or unsupported Perl syntax"),
    ] {
        let beat = Beat { topics: None, pattern: Some(pattern), ..Beat::join("a", &[]) };
        let error = lab.send(&beat.as_heartbeat()).expect_err("no pattern");
        let message = format!("SubscribedTopicRegex `{pattern}` is not a valid regular expression: {why}.");
        assert_eq!(error, GroupError::new(ErrorCode::InvalidRegularExpression, message));
    }
    // It cannot get out of the group that it is put in.
    assert!(check_pattern("a)(b").is_some());
    assert!(lab.log.is_empty());
}
