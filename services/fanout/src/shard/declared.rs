//! Checks calls of methods that the configuration declares: by rate, by arguments and claims, by the platform's
//! authorizer.
//!
//! A call is checked, then it joins, then it publishes (`joining`). A call that fails reports its error and leaves
//! nothing behind.

use std::sync::{Arc, PoisonError};

use fanfare_broker::Position;
use fanfare_signalr::{Outcome, Value};
use fanfare_token::OtherClaims;
use tracing::Span;

use super::calls::{Running, Work};
use super::lines::Line;
use super::tab::Tab;
use super::{Authorize, Core, Key, Task, Ticket};
use crate::connection::Call;
use crate::limit::of_network;
use crate::method::Answer;
use crate::method::declared::{
    Asking, CallRate, Caller, Checked, Declared, Deed, Given, Met, Per, Plan, Refusal, Refused, Scope, Share,
};
use crate::vocabulary::Identity;
use crate::vocabulary::name::GroupName;

/// How many questions of one call are under way at a time.
const ASKED_AT_ONCE: usize = 8;

/// A declared call that runs.
#[derive(Debug)]
pub(super) struct Judging {
    pub(super) method: Arc<Declared>,
    pub(super) met: Met,
    given: Given,
    shares: Vec<Share>,
    answers: Vec<Option<(Position, OtherClaims)>>,
    /// How many questions were put.
    asked: usize,
    /// What the call will do, once that is known.
    pub(super) plan: Option<Plan>,
    /// The groups that it has joined and would have to leave again.
    pub(super) joined: Vec<GroupName>,
}

impl Judging {
    /// A question about a group, and the position of the log when it was answered.
    pub(super) fn decision(&self, share: usize) -> (Option<&Arc<Asking>>, Option<Position>) {
        let asking = self.shares.get(share).and_then(|share| share.asking.as_ref());
        let decided_at = self.answers.get(share).and_then(|answer| answer.as_ref()).map(|(at, _)| at.clone());
        (asking, decided_at)
    }
}

impl Core {
    /// Checks a call and begins it.
    pub(super) fn run_declared(&mut self, key: Key, ticket: Ticket, method: Arc<Declared>, call: Call, span: Span) {
        let (id, target) = (call.id, call.target);
        let checked = match self.check_declared(key, &method, call.arguments) {
            Ok(checked) => checked,
            Err(refusal) => {
                self.say_refused(key, &span, &method, None, &refusal);
                return self.refuse_declared(key, id.as_deref(), &target, &method, &refusal);
            }
        };
        let Checked { given, met, shares, plan } = checked;
        let answers = shares.iter().map(|_| None).collect();
        let judging = Judging { method, met, given, shares, answers, asked: 0, plan, joined: Vec::new() };
        let is_asked = judging.shares.iter().any(|share| share.asking.is_some());
        self.begin_running(key, Running { ticket, id, target, span, work: Work::Declared(Box::new(judging)) });
        if is_asked {
            self.ask_next(key, ticket);
        } else {
            self.carry_out_declared(key, ticket);
        }
    }

    fn check_declared(&self, key: Key, method: &Declared, arguments: Vec<Value<'static>>) -> Result<Checked, Refusal> {
        let roles = self.roles(key);
        let Some(tab) = self.connections.get(key) else { return Err(Refusal::Gone) };
        for rate in tab.hub.rates.iter().chain(&method.rates) {
            self.take_of(tab, rate)?;
        }
        let caller = Caller { identity: tab.identity.as_ref(), roles: &roles };
        let checked = method.check(caller, &tab.hub.path, arguments)?;
        // Nobody is asked about a group that the caller could not hear.
        if let Some(plan) = &checked.plan
            && method.action.deed() == Some(Deed::Join)
        {
            plan.groups.iter().try_for_each(|wanted| self.foreign_org(tab, &roles, wanted.org.as_ref()).map(|_| ()))?;
        }
        Ok(checked)
    }

    /// Takes one call of a rate. It refuses, rather than to let calls wait as the rate of a connection does (rule 7.2).
    fn take_of(&self, tab: &Tab, rate: &CallRate) -> Result<(), Refusal> {
        let now = self.now();
        let mut counts = self.context.rates.lock().unwrap_or_else(PoisonError::into_inner);
        let CallRate { name, calls, span, .. } = rate;
        let taken = match rate.per {
            Per::User => {
                let user = tab.identity.as_ref().map(|who| (&who.claims().realm, &who.claims().user));
                counts.take(name, user, *calls, *span, now)
            }
            Per::Connection => counts.take(name, tab.id, *calls, *span, now),
            Per::Address => {
                let address = tab.life.address.as_deref().copied();
                counts.take(name, address.map(of_network), *calls, *span, now)
            }
            Per::Hub => counts.take(name, (), *calls, *span, now),
        };
        taken.map_err(|wait| rate.refusal(wait))
    }

    pub(super) fn refuse_declared(
        &mut self,
        key: Key,
        id: Option<&str>,
        target: &str,
        method: &Declared,
        refusal: &Refusal,
    ) {
        let own = match &method.refused {
            Refused::Silently if refusal.is_of_access() => {
                return self.complete_running(key, id, Outcome::Value(Value::Null));
            }
            Refused::Words(words) => Some(&**words),
            Refused::Told | Refused::Silently => None,
        };
        let is_detailed = self.connections.get(key).is_none_or(|tab| tab.hub.settings.detailed_errors);
        let text = if is_detailed { refusal.text(target, own) } else { refusal.brief(target, own) };
        self.complete_running_as(key, id, Outcome::Error(text.into()), refusal.label());
    }

    /// Ends the running declared call. Groups that it had joined are left again if it fails.
    pub(super) fn end_declared(&mut self, key: Key, ticket: Ticket, outcome: Result<Outcome<'static>, Refusal>) {
        let running = self.connections.get_mut(key).and_then(|tab| tab.calls.finish(ticket));
        let Some(Running { id, target, span, work: Work::Declared(judging), .. }) = running else { return };
        self.say_ended(key, &span, &judging, &outcome);
        match outcome {
            Ok(outcome) => self.complete_running(key, id.as_deref(), outcome),
            Err(refusal) => {
                for group in &judging.joined {
                    self.leave_asked(key, group);
                }
                self.refuse_declared(key, id.as_deref(), &target, &judging.method, &refusal);
            }
        }
        self.start_next_call(key);
    }

    fn say_refused(&mut self, key: Key, span: &Span, method: &Declared, plan: Option<&Plan>, refusal: &Refusal) {
        let joins = method.action.deed() == Some(Deed::Join);
        let message = if joins { "join refused" } else { "call refused" };
        let line = || Line { method: Some(&method.name), reason: Some(refusal.reason()), ..Line::default() };
        let groups = plan.map(|plan| &*plan.groups).unwrap_or_default();
        if groups.is_empty() {
            self.say(key, span, message, &line());
        }
        for wanted in groups {
            self.say(key, span, message, &Line { group: Some(&wanted.group), ..line() });
        }
    }

    /// The outcome of a call; groups that it has left were reported when that was done.
    fn say_ended(&mut self, key: Key, span: &Span, judging: &Judging, outcome: &Result<Outcome<'static>, Refusal>) {
        let (method, plan) = (&judging.method, judging.plan.as_ref());
        let answer = match outcome {
            Err(refusal) => return self.say_refused(key, span, method, plan, refusal),
            Ok(answer) => answer,
        };
        let line = || Line { method: Some(&method.name), ..Line::default() };
        if method.action.deed() == Some(Deed::Join) {
            for wanted in plan.iter().flat_map(|plan| &plan.groups) {
                self.say(key, span, "joined", &Line { group: Some(&wanted.group), ..line() });
            }
        }
        if let (Some(_), Outcome::Value(Value::String(event))) = (plan.and_then(|plan| plan.draft.as_ref()), answer) {
            self.say(key, span, "published", &Line { event: Some(event), ..line() });
        }
    }

    /// The declared call that runs, if it is the one of a ticket.
    pub(super) fn judging(&mut self, key: Key, ticket: Ticket) -> Option<&mut Judging> {
        let running = self.connections.get_mut(key)?.calls.running_mut().filter(|running| running.ticket == ticket)?;
        match &mut running.work {
            Work::Declared(judging) => Some(judging),
            _ => None,
        }
    }

    /// Puts the next questions of a call, so many at a time: one call must not keep others from asking.
    fn ask_next(&mut self, key: Key, ticket: Ticket) {
        let Some(judging) = self.judging(key, ticket) else { return };
        let under_way = judging.asked - judging.answers.iter().flatten().count();
        let first = judging.asked;
        let some = (ASKED_AT_ONCE - under_way.min(ASKED_AT_ONCE)).min(judging.shares.len() - first);
        judging.asked += some;
        let joins = judging.method.action.deed() == Some(Deed::Join);
        let groups: Vec<_> = judging.plan.iter().flat_map(|plan| &plan.groups).filter(|_| joins).cloned().collect();
        let askings: Vec<_> = judging.shares[first..first + some].iter().map(|share| share.asking.clone()).collect();
        for (number, asking) in askings.into_iter().enumerate() {
            let Some(asking) = asking else { continue };
            let of_share = groups.iter().filter(|wanted| wanted.share == first + number);
            let of_share = of_share.map(|wanted| wanted.group.clone()).collect();
            let question = self.question(key, asking, of_share);
            self.tasks.extend(question.map(|question| Task::Authorize {
                key,
                ticket,
                number: first + number,
                question,
            }));
        }
    }

    /// A question, with the withdrawals that void an earlier answer to it.
    pub(super) fn question(&self, key: Key, asking: Arc<Asking>, groups: Vec<GroupName>) -> Option<Authorize> {
        let tab = self.connections.get(key)?;
        Some(Authorize {
            asking,
            now: self.context.groups.read(|known| known.position().clone()),
            hub: Arc::clone(&tab.hub.path),
            who: tab.identity.clone(),
            groups,
        })
    }

    /// Takes the platform's answer. A refusal ends what an earlier call of the method joined. A permission counts as of
    /// the position before the question.
    pub fn authorized(&mut self, key: Key, ticket: Ticket, number: usize, answer: Answer) {
        self.look_after_joining();
        self.context.metrics.authorizer_answered(answer.label());
        let roles = self.roles(key);
        let is_live = self.connections.get(key).is_some_and(|tab| tab.is_live());
        let Some(judging) = self.judging(key, ticket) else { return };
        let refusal = match answer {
            _ if !is_live => Refusal::Gone,
            // The roles that the call was checked with may be gone by now.
            Answer::Allowed(..) if !judging.method.allows_roles(judging.met, &roles) => Refusal::Unauthorized,
            Answer::Allowed(made_at, claims) => {
                if let Some(answer) = judging.answers.get_mut(number) {
                    *answer = Some((made_at, claims));
                }
                if judging.answers.iter().all(Option::is_some) {
                    return self.carry_out_declared(key, ticket);
                }
                return self.ask_next(key, ticket);
            }
            Answer::Unknown => Refusal::Unchecked,
            Answer::Refused => {
                let refused: Vec<GroupName> = match (judging.method.action.deed(), &judging.plan) {
                    (Some(Deed::Join | Deed::Touch), Some(plan)) => {
                        let of_share = plan.groups.iter().filter(|wanted| wanted.share == number);
                        of_share.map(|wanted| wanted.group.clone()).collect()
                    }
                    _ => Vec::new(),
                };
                let asking = judging.decision(number).0.cloned();
                refused.iter().for_each(|group| self.leave_asked(key, group));
                asking.iter().for_each(|asking| self.leave_allowed_by(key, asking));
                Refusal::Denied
            }
        };
        self.end_declared(key, ticket, Err(refusal));
    }

    /// What a call will do, once everything that it depends on is known.
    pub(super) fn plan(&mut self, key: Key, ticket: Ticket) -> Result<Plan, Refusal> {
        let roles = self.roles(key);
        let Some(tab) = self.connections.get_mut(key) else { return Err(Refusal::Gone) };
        let (path, identity) = (Arc::clone(&tab.hub.path), tab.identity.clone());
        let Some(judging) = self.judging(key, ticket) else { return Err(Refusal::Gone) };
        if let Some(plan) = &judging.plan {
            return Ok(plan.clone());
        }
        let answers: Vec<OtherClaims> = judging.answers.iter().flatten().map(|(_, said)| said.clone()).collect();
        let scope = Scope::new(Caller { identity: identity.as_ref(), roles: &roles }, &judging.given, &path);
        let plan = judging.method.plan(scope, &judging.shares, &answers)?;
        judging.plan = Some(plan.clone());
        Ok(plan)
    }

    /// The roles in force of a connection.
    pub(super) fn roles(&self, key: Key) -> Vec<String> {
        let Some(who) = self.connections.get(key).and_then(|tab| tab.identity.as_ref()) else { return Vec::new() };
        self.roles_of(who)
    }

    fn roles_of(&self, who: &Identity) -> Vec<String> {
        let roles = self.context.groups.read(|known| known.roles_of(who.claims()));
        roles.into_iter().map(|(role, _)| role).collect()
    }
}
