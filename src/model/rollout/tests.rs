//! What may happen in a rollout, and what may not.

use super::*;

fn now() -> Timestamp {
    "2026-11-24T03:00:00Z".parse().unwrap()
}

fn rollout(hosts: usize, budget: &str, on_failure: OnFailure) -> Rollout {
    let budget = budget.parse().unwrap();
    let settings = Settings { budget, on_failure, ..Settings::of_a_fleet(hosts) };
    let hosts = (0..hosts).map(|n| Host::waiting(name(n), n + 1)).collect();
    Rollout::new(RolloutId::from_bytes([1; 8]), Change::Os, settings, hosts, now())
}

fn name(number: usize) -> InstanceName {
    format!("h{number}").parse().unwrap()
}

fn host(number: usize, fact: Fact) -> Event {
    Event::Host(name(number), fact)
}

fn after(rollout: &Rollout, events: impl IntoIterator<Item = Event>) -> Rollout {
    events.into_iter().fold(rollout.clone(), |rollout, event| rollout.after(event, now()).unwrap())
}

fn refused(rollout: &Rollout, event: Event) -> String {
    rollout.clone().after(event, now()).unwrap_err().to_string()
}

fn fails(number: usize) -> [Event; 2] {
    [host(number, Fact::Started), host(number, Fact::Reverted("it is not ready".into()))]
}

fn works(number: usize) -> [Event; 2] {
    [host(number, Fact::Started), host(number, Fact::Updated)]
}

#[test]
fn every_fact_twice_is_the_same_as_once_and_none_is_possible_everywhere() {
    let why = || "why".to_owned();
    let facts = || {
        let some = [Fact::Started, Fact::Updated, Fact::Reverted(why()), Fact::Down(why()), Fact::Recalled];
        some.into_iter().chain([Fact::Returned, Fact::Skipped(why()), Fact::Acknowledged])
    };
    let at = now();
    let statuses = [
        Status::Waiting,
        Status::Running,
        Status::Updated { at },
        Status::Reverted { at, why: why() },
        Status::Down { at, why: why() },
        Status::Returning,
        Status::Returned { at },
        Status::Skipped { why: why() },
    ];
    for fact in facts() {
        let possible: Vec<_> =
            statuses.iter().filter_map(|status| status.clone().after(fact.clone(), at)).collect();
        assert!(!possible.is_empty() && possible.len() < statuses.len(), "{fact:?}");
        for once in possible {
            assert_eq!(once.clone().after(fact.clone(), at), Some(once), "{fact:?}");
        }
    }
    for status in statuses {
        let text = serde_json::to_string(&status).unwrap();
        assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), status, "{text}");
    }
}

#[test]
fn the_first_host_goes_alone_whatever_the_budget() {
    let rollout = rollout(10, "5", OnFailure::Stop);
    assert_eq!(rollout.allowance(), 1);
    let one = after(&rollout, [host(0, Fact::Started)]);
    let error = refused(&one, host(1, Fact::Started));
    assert_eq!(error, "h1 cannot start: the rollout is running, or could pass its budget");
    let proven = after(&one, [host(0, Fact::Updated)]);
    assert_eq!(proven.allowance(), 5);
    let five = after(&proven, (1..=5).map(|n| host(n, Fact::Started)));
    refused(&five, host(6, Fact::Started));
}

#[test]
fn it_goes_on_while_fewer_failed_than_may_and_stops_at_the_budget() {
    let rollout = rollout(10, "2", OnFailure::Stop);
    let one = after(&rollout, works(0).into_iter().chain(fails(1)));
    assert_eq!((one.state, one.failed()), (State::Running, 1));
    let two = after(&one, fails(2));
    assert_eq!((two.state, two.verdict()), (State::Stopped, Verdict::Stopped));
    refused(&two, host(3, Fact::Started));
    let ended = after(&two, [Event::Ended]);
    assert_eq!(ended, two);
}

#[test]
fn a_stopped_one_goes_on_once_somebody_has_seen_to_what_failed() {
    let stopped = after(&rollout(3, "1", OnFailure::Stop), works(0).into_iter().chain(fails(1)));
    let resume = || Event::Asked(Request::Resume);
    let why = "cannot resume the rollout: 1 hosts failed that nobody has acknowledged, and 1 may";
    assert_eq!(refused(&stopped, resume()), why);
    let seen = after(&stopped, [host(1, Fact::Acknowledged), resume()]);
    assert_eq!((seen.state, seen.failed()), (State::Running, 0));
    let done = after(&seen, works(2).into_iter().chain([Event::Ended]));
    assert_eq!(done.state, State::Finished(Verdict::Incomplete));
    refused(&seen, host(0, Fact::Acknowledged));
}

#[test]
fn a_host_that_goes_down_after_it_was_acknowledged_counts_again() {
    let stopped = after(&rollout(3, "1", OnFailure::Stop), works(0).into_iter().chain(fails(1)));
    let seen = after(&stopped, [host(1, Fact::Acknowledged), host(1, Fact::Acknowledged)]);
    assert_eq!(seen.failed(), 0);
    assert_eq!(after(&seen, [host(1, Fact::Down("it is gone".into()))]).failed(), 1);
}

#[test]
fn on_failure_the_wave_or_all_go_back_the_last_one_first() {
    let back = |on_failure| {
        let mut rollout = rollout(5, "1", on_failure);
        for (host, wave) in rollout.hosts.iter_mut().zip([1, 2, 2, 2, 3]) {
            host.wave = wave;
        }
        let events = [works(0), works(1), works(2), fails(3)];
        let stopped = after(&rollout, events.into_iter().flatten());
        stopped.to_return().map(|host| host.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(back(OnFailure::Stop), [] as [&str; 0]);
    assert_eq!(back(OnFailure::RevertWave), ["h2", "h1"]);
    assert_eq!(back(OnFailure::RevertAll), ["h2", "h1", "h0"]);
}

#[test]
fn one_that_went_back_is_over_and_says_why_hosts_were_left_out() {
    let stopped = after(&rollout(3, "1", OnFailure::RevertAll), works(0).into_iter().chain(fails(1)));
    assert_eq!(
        refused(&stopped, Event::Asked(Request::Resume)),
        "cannot resume the rollout: its hosts go back"
    );
    assert_eq!(after(&stopped, [Event::Ended]).state, State::Stopped);
    let back = after(&stopped, [host(0, Fact::Recalled), host(0, Fact::Returned), Event::Ended]);
    assert_eq!(back.state, State::Finished(Verdict::WentBack));
    assert_eq!(back.hosts[2].status.why(), Some("the rollout went back"));
    assert_eq!(refused(&back, host(0, Fact::Down("x".into()))), "h0 cannot become down: the rollout is over");
}

#[test]
fn paused_it_starts_nothing_but_what_runs_ends() {
    let paused =
        after(&rollout(3, "1", OnFailure::Stop), [host(0, Fact::Started), Event::Asked(Request::Pause)]);
    let done = after(&paused, [host(0, Fact::Started), host(0, Fact::Updated)]);
    assert_eq!(done.state, State::Paused);
    let error = refused(&done, host(1, Fact::Started));
    assert_eq!(error, "h1 cannot start: the rollout is paused, or could pass its budget");
    assert_eq!(after(&done, [Event::Asked(Request::Resume)]).state, State::Running);
}

#[test]
fn aborted_it_takes_back_what_runs_and_ends() {
    let running =
        after(&rollout(3, "1", OnFailure::Stop), works(0).into_iter().chain([host(1, Fact::Started)]));
    let error = refused(&running, host(0, Fact::Recalled));
    assert_eq!(error, "h0 cannot go back while the rollout is running");
    let aborting = after(&running, [Event::Asked(Request::Abort), host(1, Fact::Recalled)]);
    refused(&aborting, Event::Ended);
    refused(&aborting, Event::Asked(Request::Resume));
    let over = after(&aborting, [host(1, Fact::Returned), Event::Ended]);
    assert_eq!(over.state, State::Finished(Verdict::Aborted));
    let words: Vec<_> = over.hosts.iter().map(|host| host.status.word()).collect();
    assert_eq!(words, ["updated", "returned", "skipped"]);
    assert_eq!(after(&over, [Event::Asked(Request::Abort), Event::Ended]), over);
}

#[test]
fn nothing_happens_to_a_host_that_is_not_in_it_and_no_host_is_updated_twice() {
    let rollout = rollout(2, "1", OnFailure::Stop);
    assert_eq!(refused(&rollout, host(7, Fact::Started)), "h7 is not in this rollout");
    let done = after(&rollout, works(0));
    assert_eq!(refused(&done, host(0, Fact::Started)), "a host that is updated cannot become started");
    assert_eq!(refused(&done, Event::Ended), "a rollout that is running cannot end with hosts left");
}
