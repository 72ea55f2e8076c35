//! The shape that the five APIs of the share coordinator share: topics of partitions, an outcome each.
//! Shell: an answer waits until what it rests on is durable.

use ottla_coordinator::runtime::Durable;
use ottla_coordinator::share::{SharePartitionKey, StateError};
use ottla_model::{ErrorCode, GroupId, TopicId};
use ottla_protocol::{Encode, ErrorCodes};

use crate::access::Access;
use crate::context::Broker;
use crate::request::{Handled, Request, park};
use crate::share;

/// What a partition's answer says, and what must be durable before it leaves.
pub type Outcome<T> = Result<(T, Durable), StateError>;

/// Which partitions a request names: for each topic its id and, for each of its partitions, what is asked.
pub struct Wanted<P> {
    pub group: GroupId,
    pub topics: Vec<(TopicId, Vec<P>)>,
}

impl<P> Wanted<P> {
    pub fn new(group: &str, topics: impl Iterator<Item = (TopicId, Vec<P>)>) -> Wanted<P> {
        Wanted { group: GroupId::new(group), topics: topics.collect() }
    }

    /// Whether it names nothing. Kafka answers nothing to that, and sees a topic without partitions so too, but
    /// in InitializeShareGroupState.
    pub fn is_void(&self, of_partitions: bool) -> bool {
        self.group.as_str().is_empty()
            || self.topics.is_empty()
            || (of_partitions && self.topics.iter().any(|(_, partitions)| partitions.is_empty()))
    }
}

/// Runs `operation` for each partition that a broker asks for, and answers once all of it is durable.
/// `answer` is one partition's part of the response, `response` the whole.
pub fn for_each_partition<P, T, A, R>(
    broker: &Broker,
    request: Request,
    wanted: Wanted<P>,
    index: impl Fn(&P) -> i32,
    operation: impl Fn(&SharePartitionKey, &P) -> Outcome<T>,
    answer: impl Fn(i32, Result<T, StateError>) -> A + Send + 'static,
    response: impl FnOnce(Vec<(TopicId, Vec<A>)>) -> R + Send + 'static,
) -> Handled
where
    T: Send + 'static,
    A: Send,
    R: Encode + ErrorCodes + Send,
{
    let may = share::may_keep_state(&Access::of(broker, &request));
    let begin = |topic_id: TopicId, asked: P| {
        let partition = index(&asked);
        let key = SharePartitionKey { group: wanted.group.clone(), topic_id, partition };
        let outcome = match may {
            true => operation(&key, &asked),
            false => Err(ErrorCode::ClusterAuthorizationFailed.into()),
        };
        (partition, outcome)
    };
    let mut begun = Vec::with_capacity(wanted.topics.len());
    for (topic_id, partitions) in wanted.topics {
        let partitions = partitions.into_iter().map(|asked| begin(topic_id, asked));
        begun.push((topic_id, partitions.collect::<Vec<_>>()));
    }
    park(async move {
        let mut topics = Vec::with_capacity(begun.len());
        for (topic_id, partitions) in begun {
            let mut answers = Vec::with_capacity(partitions.len());
            for (partition, outcome) in partitions {
                let outcome = match outcome {
                    Ok((value, wait)) => share::durable(Ok(wait)).await.map(|()| value),
                    Err(error) => Err(error),
                };
                answers.push(answer(partition, outcome));
            }
            topics.push((topic_id, answers));
        }
        request.answer(&response(topics))
    })
}
