//! Nodes without a vote, as the leader sends them its log, and as they ask for it.
//! Core. A part of `machine`.

use super::*;

impl RaftMachine {
    /// Notes who speaks without a vote, so that it is sent the log. False: another of this id is sent it.
    pub(super) fn note_guest(&mut self, from: BrokerId, directory_id: Uuid, body: &Body) -> bool {
        let voters = self.voters();
        if !voters.is_dynamic || voters.set.get(from).is_some() {
            return true;
        }
        if !self.node.leads() {
            let stands =
                |message: &PeerMessage| matches!(message.kind, MessageKind::Vote | MessageKind::PreVote);
            if matches!(body, Body::Message(message) if stands(message)) {
                // One that has not read that it does not vote any more.
                self.tell_leader(from, &VoterNode::unknown(from));
            }
            return true;
        }
        let asked = match body {
            Body::Observe(node) if node.id == from && node.directory_id == directory_id => Some(node.clone()),
            Body::Observe(_) => return false,
            _ => None,
        };
        if let Some((node, heard)) = self.observers.get_mut(&from)
            && node.directory_id == directory_id
        {
            *heard = self.ticks;
            if let Some(asked) = asked {
                self.out.others.extend(
                    asked.at(&self.listener).filter(|new| Some(new) != node.at(&self.listener).as_ref()),
                );
                *node = asked;
            }
            self.node.add_observer(from);
            return true;
        }
        let since = self.ticks.saturating_sub(ASK_TICKS);
        if self.observers.get(&from).is_some_and(|(_, heard)| *heard > since) && asked.is_none() {
            return false;
        }
        if self.observers.len() >= OBSERVERS_MAX {
            return true;
        }
        let node = asked.unwrap_or_else(|| VoterNode { directory_id, ..VoterNode::unknown(from) });
        self.out.others.extend(node.at(&self.listener));
        self.node.remove_observer(from);
        self.voter_states.remove(&from);
        self.observers.insert(from, (node, self.ticks));
        self.node.add_observer(from);
        true
    }

    /// A node without a vote that asks for the log is told who leads, if it is not this node.
    pub(super) fn tell_leader(&mut self, to: BrokerId, node: &VoterNode) {
        let leader = self.leadership.leader.filter(|leader| *leader != self.me.id && *leader != to);
        let Some(leader) = leader.and_then(|id| self.voters().set.get(id)).cloned() else { return };
        self.out.others.extend(node.at(&self.listener).filter(|_| node.id == to));
        self.send(to, Body::Leader(leader));
    }

    /// Who is silent is sent nothing any more; and a node without a vote asks to be sent the log.
    pub(super) fn tend_observers(&mut self) {
        let since = self.ticks.saturating_sub(OBSERVER_TICKS);
        let silent: Vec<BrokerId> =
            self.observers.iter().filter(|(_, (_, heard))| *heard < since).map(|(id, _)| *id).collect();
        for id in silent {
            self.observers.remove(&id);
            self.node.remove_observer(id);
        }
        if self.ticks.is_multiple_of(ASK_TICKS) {
            let mut others = BTreeSet::new();
            if !self.node.votes() {
                others.extend(self.voters().set.ids());
            }
            if self.leadership.leader.is_none() || !self.node.votes() {
                others.extend(self.told_leader);
            }
            others.remove(&self.me.id);
            others.into_iter().for_each(|id| self.send(id, Body::Observe(self.me.clone())));
        }
    }
}
