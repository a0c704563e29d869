//! Service tokens: whose they are, until when they are good, and a hash; never their text.

use super::{State, instant};
use crate::error::{Error, Result};
use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{Row, any::AnyRow};
use std::fmt;

/// What is known of a service token.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The part of its text that names it.
    pub id: String,
    /// The user as whom its holder comes in.
    pub principal: String,
    /// What it is for.
    pub label: String,
    /// The SHA-256 of its text, in hexadecimal digits.
    pub hash: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on it is no good.
    pub expires_at: DateTime<Utc>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<DateTime<Utc>>,
    /// The last day it was used, if ever.
    pub used_on: Option<NaiveDate>,
}

impl Token {
    /// Whether it lets its holder in at `now`.
    pub fn is_good_at(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }
}

/// Without the hash.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("id", &self.id)
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}

impl State {
    /// Keeps a new token.
    pub async fn add_token(&self, token: &Token) -> Result<()> {
        let insert = sqlx::query(
            "insert into tokens (token, principal, label, hash, created_at, expires_at) \
             values ($1, $2, $3, $4, $5, $6)",
        )
        .bind(&token.id)
        .bind(&token.principal)
        .bind(&token.label)
        .bind(&token.hash)
        .bind(token.created_at.timestamp_micros())
        .bind(token.expires_at.timestamp_micros());
        insert.execute(self.pool()).await.map(drop).map_err(failed)
    }

    /// The token with this id.
    pub async fn token(&self, id: &str) -> Result<Option<Token>> {
        let row = sqlx::query("select * from tokens where token = $1").bind(id);
        let row = row.fetch_optional(self.pool()).await.map_err(failed)?;
        row.map(|row| read(&row)).transpose().map_err(failed)
    }

    /// Every token, in the order in which they were made.
    pub async fn tokens(&self) -> Result<Vec<Token>> {
        let rows = sqlx::query("select * from tokens order by created_at, token");
        let rows = rows.fetch_all(self.pool()).await.map_err(failed)?;
        rows.iter().map(read).collect::<sqlx::Result<_>>().map_err(failed)
    }

    /// Revokes a token for ever; `false` when there is none with this id that is not revoked yet.
    pub async fn revoke_token(&self, id: &str, now: DateTime<Utc>) -> Result<bool> {
        let revoke = sqlx::query("update tokens set revoked_at = $1 where token = $2 and revoked_at is null")
            .bind(now.timestamp_micros())
            .bind(id);
        Ok(revoke.execute(self.pool()).await.map_err(failed)?.rows_affected() == 1)
    }

    /// Notes the day on which a token was used.
    pub async fn token_used(&self, id: &str, day: NaiveDate) -> Result<()> {
        let used =
            sqlx::query("update tokens set used_on = $1 where token = $2").bind(day.to_string()).bind(id);
        used.execute(self.pool()).await.map(drop).map_err(failed)
    }
}

fn read(row: &AnyRow) -> sqlx::Result<Token> {
    Ok(Token {
        id: row.try_get("token")?,
        principal: row.try_get("principal")?,
        label: row.try_get("label")?,
        hash: row.try_get("hash")?,
        created_at: instant(row.try_get("created_at")?),
        expires_at: instant(row.try_get("expires_at")?),
        revoked_at: row.try_get::<Option<i64>, _>("revoked_at")?.map(instant),
        used_on: row.try_get::<Option<String>, _>("used_on")?.and_then(|day| day.parse().ok()),
    })
}

fn failed(cause: sqlx::Error) -> Error {
    Error::internal("the service tokens in the state database cannot be used")
        .hint("check that the state database can be reached and written")
        .because(cause)
}
