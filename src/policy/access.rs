//! Who may log in and what they may read, as it is now: shared by everything that answers, and
//! replaced while it does.

use super::roles::{People, Principal, User};
use std::sync::{Arc, PoisonError, RwLock};

/// The users and roles of a running server.
#[derive(Debug)]
pub struct Access {
    current: RwLock<Arc<Current>>,
}

#[derive(Debug)]
struct Current {
    people: People,
    generation: u64,
}

impl Access {
    /// Begins with `people`, in generation 0.
    pub fn new(people: People) -> Self {
        Self { current: RwLock::new(Arc::new(Current { people, generation: 0 })) }
    }

    /// The user called `name`.
    pub fn user(&self, name: &str) -> Option<User> {
        self.current().people.users.get(name).cloned()
    }

    /// The user called `name` with the roles of this moment; `None`: nobody is called so any more.
    pub fn principal(&self, name: &str) -> Option<Principal> {
        let current = self.current();
        Principal::resolve(current.people.users.get(name)?, &current.people.roles)
    }

    /// A number that grows whenever a user or a role changes: what was decided in an earlier
    /// generation must be decided again.
    pub fn generation(&self) -> u64 {
        self.current().generation
    }

    /// Puts `people` in the place of those before; whether anything is different.
    pub fn replace(&self, people: People) -> bool {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.people == people {
            return false;
        }
        *current = Arc::new(Current { people, generation: current.generation + 1 });
        true
    }

    fn current(&self) -> Arc<Current> {
        // The only change is a single assignment, so a panic elsewhere leaves it whole.
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a principal was granted when something long began, such as an answer of many rows.
#[derive(Debug)]
pub struct Grant {
    access: Arc<Access>,
    principal: Principal,
    /// The generation in which it was last looked at.
    seen: Option<u64>,
}

impl Grant {
    /// What `principal` has been granted, according to `access`.
    pub fn new(access: Arc<Access>, principal: Principal) -> Self {
        Self { access, principal, seen: None }
    }

    /// Whether the principal still has exactly these grants.
    pub fn stands(&mut self) -> bool {
        let generation = self.access.generation();
        if self.seen != Some(generation) {
            if self.access.principal(&self.principal.name).as_ref() != Some(&self.principal) {
                return false;
            }
            self.seen = Some(generation);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::roles::{Forces, Role};

    fn people(roles: &[&str]) -> People {
        let role = |name: &str| Role { name: name.into(), forces: Forces::All, tables: vec!["*".into()] };
        let anna = User { name: "anna".into(), password_hash: String::new(), roles: vec!["reader".into()] };
        People {
            users: [("anna".to_string(), anna)].into(),
            roles: roles.iter().map(|name| (name.to_string(), role(name))).collect(),
        }
    }

    #[test]
    fn a_generation_begins_with_a_change_and_only_with_one() {
        let access = Access::new(people(&["reader"]));
        assert!(!access.replace(people(&["reader"])));
        assert_eq!(access.generation(), 0);
        assert!(access.replace(people(&["reader", "another"])));
        assert_eq!(access.generation(), 1);
    }

    #[test]
    fn a_grant_stands_until_it_is_changed() {
        let access = Arc::new(Access::new(people(&["reader"])));
        let anna = access.principal("anna").unwrap();
        let mut grant = Grant::new(Arc::clone(&access), anna);
        assert!(grant.stands());
        access.replace(people(&["reader", "another"]));
        assert!(grant.stands(), "nothing of it has changed");
        access.replace(people(&["another"]));
        assert!(!grant.stands());
    }

    #[test]
    fn whoever_has_a_role_that_is_gone_is_nobody() {
        let access = Access::new(people(&["reader"]));
        assert_eq!(access.principal("anna").unwrap().roles.len(), 1);
        assert_eq!(access.principal("bert"), None);
        access.replace(people(&[]));
        assert_eq!(access.principal("anna"), None);
        access.replace(People::default());
        assert_eq!(access.user("anna"), None);
    }
}
