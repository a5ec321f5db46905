//! The statements for the table of an outbox.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AnyPool, AssertSqlSafe, Row as _, Transaction};

use fanfare_event::Encoded;

use crate::dialect::Dialect;
use crate::error::OutboxError;
use crate::outbox::Parked;
use crate::publisher::{Place, PublishedRow};
use crate::row::{Row, headers_json, ordering_key};
use crate::search::Reached;
use crate::shape::Shape;

/// The largest stored reason, in bytes; longer ones are cut.
const MAX_REASON: usize = 1000;

/// The tables of one database.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) pool: AnyPool,
    pub(crate) dialect: Dialect,
    pub(crate) shape: Arc<Shape>,
}

/// A published row, and the place of its event in the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) seq: i64,
    pub(crate) place: Option<Place>,
}

/// How many kept rows are read at once.
const KEPT_AT_ONCE: usize = 256;

/// A page of kept rows.
#[derive(Debug)]
pub(crate) struct KeptPage {
    /// The last published first.
    pub(crate) rows: Vec<PublishedRow>,
    /// Where the next page starts; none if this is the last.
    pub(crate) reached: Option<Reached>,
}

/// The largest number of rows in one statement.
const MOST_LISTED: usize = 256;
/// Neither published nor parked.
const WAITING: &str = "parked_reason IS NULL AND published_at IS NULL";

/// The number of unsent events, and since when the oldest has been waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backlog {
    pub(crate) unsent: u64,
    pub(crate) oldest_ms: u64,
}

type Statement<'q> = Query<'q, Any, AnyArguments>;

impl Table {
    /// Stores an event; false if its source and id are stored already.
    pub(crate) async fn insert(&self, tx: &mut Transaction<'_, Any>, event: &Encoded) -> Result<bool, OutboxError> {
        let attributes = &event.attributes;
        // An error would abort the whole transaction on PostgreSQL, so a duplicate is counted instead.
        let sql = format!(
            "INSERT INTO fanfare_outbox
                (ordering_key, source, event_id, event_type, headers, body, event_key, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, {})
            ON CONFLICT (source, event_id) DO NOTHING",
            self.dialect.now()
        );
        let inserted = sqlx::query(AssertSqlSafe(sql))
            .bind(ordering_key(attributes))
            .bind(&attributes.source)
            .bind(&attributes.id)
            .bind(attributes.event_type.as_str())
            .bind(headers_json(attributes))
            .bind(event.body.as_slice())
            .bind(event.key.as_deref())
            .execute(&mut **tx)
            .await?;
        Ok(inserted.rows_affected() == 1)
    }

    /// The first unsent rows whose ordering key is not in `excluded`.
    ///
    /// Always from the start: a transaction that began earlier may commit later and with a lower number.
    pub(crate) async fn unsent(&self, excluded: &[&str], limit: usize) -> Result<Vec<Row>, OutboxError> {
        let (columns, table) = (self.shape.columns(self.dialect), self.shape.table());
        let mut sql = format!("SELECT {columns} FROM {table} WHERE {WAITING}");
        if !excluded.is_empty() {
            sql.push_str(&format!(" AND {} NOT IN ", self.shape.ordering_key()));
            push_list(&mut sql, excluded.len());
        }
        sql.push_str(&format!(" ORDER BY seq LIMIT {limit}"));
        let query = excluded.iter().fold(dynamic(sql), |query, key| query.bind(*key));
        let rows = query.fetch_all(&self.pool).await?;
        Ok(rows.iter().map(|row| self.shape.read(row)).collect::<Result<_, _>>()?)
    }

    /// Deletes published rows.
    pub(crate) async fn delete(&self, published: &[Sent]) -> Result<(), OutboxError> {
        if published.is_empty() {
            return Ok(());
        }
        let mut sql = format!("DELETE FROM {} WHERE seq IN ", self.shape.table());
        push_list(&mut sql, published.len());
        published.iter().fold(dynamic(sql), |query, sent| query.bind(sent.seq)).execute(&self.pool).await?;
        Ok(())
    }

    /// Marks published rows, which are kept for a while.
    pub(crate) async fn mark(&self, published: &[Sent]) -> Result<(), OutboxError> {
        if published.is_empty() {
            return Ok(());
        }
        let (table, now) = (self.shape.table(), self.dialect.now());
        let sql = format!("UPDATE {table} SET published_at = {now}, place = $1 WHERE seq = $2");
        let mut tx = self.pool.begin_with(self.dialect.begin()).await?;
        for sent in published {
            let place = sent.place.as_ref().map(Place::to_string);
            sqlx::query(AssertSqlSafe(sql.clone())).bind(place).bind(sent.seq).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The time by the database's clock, in milliseconds.
    pub(crate) async fn now(&self) -> Result<i64, OutboxError> {
        let sql = format!("SELECT {}", self.dialect.now());
        Ok(sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&self.pool).await?)
    }

    /// Published and kept rows, the last published first, from the end of a page on.
    pub(crate) async fn kept(&self, (published_at, seq): Reached) -> Result<KeptPage, OutboxError> {
        let (columns, table) = (self.shape.columns(self.dialect), self.shape.table());
        let sql = format!(
            "SELECT {columns}, place, published_at FROM {table}
            WHERE place IS NOT NULL AND (published_at < $1 OR (published_at = $2 AND seq < $3))
            ORDER BY published_at DESC, seq DESC LIMIT {KEPT_AT_ONCE}"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(published_at).bind(published_at).bind(seq);
        let rows = query.fetch_all(&self.pool).await?;
        let mut kept = KeptPage { rows: Vec::with_capacity(rows.len()), reached: None };
        for row in &rows {
            let Row { seq, event, .. } = self.shape.read(row)?;
            let (place, published_at) = (row.try_get::<String, _>("place")?, row.try_get("published_at")?);
            kept.reached = Some((published_at, seq)).filter(|_| rows.len() == KEPT_AT_ONCE);
            // Published rows could be read then, and can be now.
            if let (Ok(event), Ok(place)) = (event, place.parse()) {
                kept.rows.push(PublishedRow { seq, place, event, published_at });
            }
        }
        Ok(kept)
    }

    /// The partitions of the kept rows, and when the last of them was published.
    pub(crate) async fn kept_in(&self) -> Result<(BTreeSet<u32>, i64), OutboxError> {
        let (partition, table) = (self.dialect.before_dash("place"), self.shape.table());
        let sql = format!(
            "SELECT {partition} AS of_partition, MAX(published_at) AS newest FROM {table}
            WHERE place IS NOT NULL AND published_at IS NOT NULL GROUP BY {partition}"
        );
        let (mut partitions, mut newest) = (BTreeSet::new(), 0);
        for row in sqlx::query(AssertSqlSafe(sql)).fetch_all(&self.pool).await? {
            partitions.extend(row.try_get::<String, _>("of_partition")?.parse::<u32>().ok());
            newest = row.try_get::<i64, _>("newest")?.max(newest);
        }
        Ok((partitions, newest))
    }

    /// Makes rows be published again.
    pub(crate) async fn publish_again(&self, rows: &[i64]) -> Result<(), OutboxError> {
        for some in rows.chunks(MOST_LISTED) {
            let mut sql = format!("UPDATE {} SET published_at = NULL, place = NULL WHERE seq IN ", self.shape.table());
            push_list(&mut sql, some.len());
            some.iter().fold(dynamic(sql), |query, seq| query.bind(*seq)).execute(&self.pool).await?;
        }
        Ok(())
    }

    /// Deletes rows that were published so long ago that they can no longer be lost.
    pub(crate) async fn forget_published(&self, horizon: Duration) -> Result<(), OutboxError> {
        let (table, now) = (self.shape.table(), self.dialect.now());
        let sql = format!("DELETE FROM {table} WHERE published_at < {now} - $1");
        let horizon = i64::try_from(horizon.as_millis()).unwrap_or(i64::MAX);
        sqlx::query(AssertSqlSafe(sql)).bind(horizon).execute(&self.pool).await?;
        Ok(())
    }

    /// Parks an event, so that the relay ignores it.
    pub(crate) async fn park(&self, seq: i64, reason: &str) -> Result<(), OutboxError> {
        let table = self.shape.table();
        let sql = format!("UPDATE {table} SET parked_reason = $1, attempts = attempts + 1 WHERE seq = $2");
        sqlx::query(AssertSqlSafe(sql))
            .bind(&reason[..reason.floor_char_boundary(MAX_REASON)])
            .bind(seq)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Counts one more attempt for an event.
    pub(crate) async fn count_attempt(&self, seq: i64) -> Result<(), OutboxError> {
        let sql = format!("UPDATE {} SET attempts = attempts + 1 WHERE seq = $1", self.shape.table());
        sqlx::query(AssertSqlSafe(sql)).bind(seq).execute(&self.pool).await?;
        Ok(())
    }

    pub(crate) async fn backlog(&self) -> Result<Backlog, OutboxError> {
        let (now, created_at, table) = (self.dialect.now(), self.shape.created_at(self.dialect), self.shape.table());
        let sql = format!(
            "SELECT COUNT(*) AS unsent, CAST(COALESCE({now} - MIN({created_at}), 0) AS BIGINT) AS oldest
            FROM {table} WHERE {WAITING}"
        );
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&self.pool).await?;
        let natural = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok(Backlog { unsent: natural(row.try_get("unsent")?), oldest_ms: natural(row.try_get("oldest")?) })
    }

    pub(crate) async fn parked(&self, limit: u32) -> Result<Vec<Parked>, OutboxError> {
        let (names, created_at, table) = (self.shape.names(), self.shape.created_at(self.dialect), self.shape.table());
        let sql = format!(
            "SELECT CAST(seq AS BIGINT) AS seq, {names}, parked_reason, COALESCE({created_at}, 0) AS created_at,
                CAST(COALESCE(attempts, 0) AS BIGINT) AS attempts
            FROM {table} WHERE parked_reason IS NOT NULL ORDER BY seq LIMIT $1"
        );
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(i64::from(limit)).fetch_all(&self.pool).await?;
        let read = |row: &sqlx::any::AnyRow| {
            Ok::<_, sqlx::Error>(Parked {
                seq: row.try_get("seq")?,
                source: row.try_get("source")?,
                event_id: row.try_get("event_id")?,
                event_type: row.try_get("event_type")?,
                reason: row.try_get("parked_reason")?,
                created_at: row.try_get("created_at")?,
                attempts: row.try_get("attempts")?,
            })
        };
        Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
    }

    pub(crate) async fn unpark(&self, seq: i64) -> Result<bool, OutboxError> {
        let table = self.shape.table();
        let sql = format!("UPDATE {table} SET parked_reason = NULL WHERE seq = $1 AND parked_reason IS NOT NULL");
        let changed = sqlx::query(AssertSqlSafe(sql)).bind(seq).execute(&self.pool).await?;
        Ok(changed.rows_affected() == 1)
    }
}

/// A statement whose text depends on the number of its values; it is not worth a place in the statement cache.
fn dynamic<'q>(sql: String) -> Statement<'q> {
    sqlx::query(AssertSqlSafe(sql)).persistent(false)
}

/// Appends `($1, $2, ...)`.
fn push_list(sql: &mut String, length: usize) {
    for number in 1..=length {
        sql.push_str(if number == 1 { "($" } else { ", $" });
        sql.push_str(&number.to_string());
    }
    sql.push(')');
}
