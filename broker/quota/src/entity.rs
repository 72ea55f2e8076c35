//! Which limit holds for a user and a client id, and who counts into the same bucket.
//! Core. The precedence of `ClientQuotaManager.DefaultQuotaCallback`: the most specific limit wins, and its
//! level says who shares. A default makes no common bucket: each user or client id has its own.

use std::collections::HashMap;

/// What is limited.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum QuotaType {
    Produce,
    Fetch,
    Request,
    ControllerMutation,
}

impl QuotaType {
    pub const ALL: [QuotaType; 4] =
        [QuotaType::Produce, QuotaType::Fetch, QuotaType::Request, QuotaType::ControllerMutation];

    /// Kafka's key of the limit.
    pub fn key(self) -> &'static str {
        match self {
            QuotaType::Produce => "producer_byte_rate",
            QuotaType::Fetch => "consumer_byte_rate",
            QuotaType::Request => "request_percentage",
            QuotaType::ControllerMutation => "controller_mutation_rate",
        }
    }

    /// The name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            QuotaType::Produce => "produce",
            QuotaType::Fetch => "fetch",
            QuotaType::Request => "request",
            QuotaType::ControllerMutation => "controller-mutation",
        }
    }
}

/// Whose use is counted together. An empty part is everybody's.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Bucket {
    pub user: Box<str>,
    pub client_id: Box<str>,
}

/// The limit that holds.
#[derive(Clone, PartialEq, Debug)]
pub struct Found {
    pub limit: f64,
    pub bucket: Bucket,
}

/// Limits of the clients of one user, of every user without own ones, or of nobody in particular.
#[derive(Clone, PartialEq, Debug, Default)]
struct OfUser {
    whole: Option<f64>,
    clients: HashMap<Box<str>, f64>,
    any_client: Option<f64>,
}

impl OfUser {
    fn client(&self, id: &str) -> Option<f64> {
        self.clients.get(id).copied().or(self.any_client)
    }
}

/// All limits of one kind.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Limits {
    users: HashMap<Box<str>, OfUser>,
    any_user: OfUser,
    no_user: OfUser,
    count: usize,
}

/// A part of an entity: not named, everybody without a limit of their own, or one.
pub type Part<'a> = Option<Option<&'a str>>;

impl Limits {
    /// Adds a limit; an entity of neither a user nor a client id has none.
    pub fn insert(&mut self, user: Part<'_>, client_id: Part<'_>, limit: f64) {
        let of_user = match user {
            None => &mut self.no_user,
            Some(None) => &mut self.any_user,
            Some(Some(name)) => self.users.entry(Box::from(name)).or_default(),
        };
        match client_id {
            None if user.is_none() => return,
            None => of_user.whole = Some(limit),
            Some(None) => of_user.any_client = Some(limit),
            Some(Some(id)) => drop(of_user.clients.insert(Box::from(id), limit)),
        }
        self.count += 1;
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The limit of a client; `None` where nothing limits it.
    pub fn find(&self, user: &str, client_id: &str) -> Option<Found> {
        let own = self.users.get(user);
        let of_user = |limit: Option<f64>| limit.map(|limit| found(limit, user, ""));
        let whole = || own.and_then(|own| own.whole).or(self.any_user.whole);
        if let Some(limit) = own.and_then(|own| own.client(client_id)) {
            return of_pair(limit, user, client_id).or_else(|| of_user(whole()));
        }
        if let Some(limit) = own.and_then(|own| own.whole) {
            return of_user(Some(limit));
        }
        if let Some(limit) = self.any_user.client(client_id) {
            return of_pair(limit, user, client_id).or_else(|| of_user(whole()));
        }
        of_user(self.any_user.whole).or_else(|| {
            let limit = self.no_user.client(client_id).filter(|_| !client_id.is_empty())?;
            Some(found(limit, "", client_id))
        })
    }
}

fn found(limit: f64, user: &str, client_id: &str) -> Found {
    Found { limit, bucket: Bucket { user: Box::from(user), client_id: Box::from(client_id) } }
}

/// In Kafka an empty client id is a tag that is not there: such a client has its user's limit.
fn of_pair(limit: f64, user: &str, client_id: &str) -> Option<Found> {
    (!client_id.is_empty()).then(|| found(limit, user, client_id))
}
