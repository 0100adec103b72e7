//! Binds the columns of `unnest`.

/// Binds one array per expression, each with an element per row: the parameters of an `unnest`. `$rows` is borrowed.
///
/// ```ignore
/// let sql = "insert into stock (variant_id, on_hand) select * from unnest($1::uuid[], $2::bigint[])";
/// columns!(sqlx::query(sql), shelves, shelf; shelf.variant_id, shelf.on_hand).execute(db).await?;
/// ```
#[macro_export]
macro_rules! columns {
    ($query:expr, $rows:expr, $row:ident; $($column:expr),+ $(,)?) => {
        $query$(.bind($rows.iter().map(|$row| $column).collect::<::std::vec::Vec<_>>()))+
    };
}
