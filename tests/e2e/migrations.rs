//! Databases that another version has written.

use crate::harness::Shop;

/// The number of migrations in this table of catalog.
async fn applied(shop: &Shop, table: &str) -> i64 {
    shop.number("catalog", &format!("select count(*) from {table}")).await
}

/// Such a database has other migrations of the same versions, and versions that do not exist.
#[tokio::test(flavor = "multi_thread")]
async fn data_of_an_unreleased_version_is_named_and_left_alone() {
    let shop = Shop::start(&[]).await;
    shop.product(1, 100).await;
    let products = "select count(*) from products";
    let made = shop.number("catalog", products).await;
    assert!(made > 0);
    let sentence = "the database of catalog: the data was written by an older, unreleased version and cannot be read; \
                    `make clean` deletes the local stack with its data";
    for (table, added) in [("_runtime_migrations", 999), ("_sqlx_migrations", 1999)] {
        let known = applied(&shop, table).await;
        let change = format!(
            "create table kept as select * from {table};
             update {table} set checksum = sha384('an older text')"
        );
        shop.sql("catalog", change).await;
        let (ok, said) = shop.souk(&["migrate"]).await;
        assert!(!ok && said.contains(sentence), "{said}");
        let unknown = format!(
            "insert into {table} (version, description, success, checksum, execution_time)
             values ({added}, 'unknown', true, '', 0)"
        );
        shop.sql("catalog", unknown.as_str()).await;
        let (ok, said) = shop.souk(&["migrate"]).await;
        assert!(!ok && said.contains(sentence), "{said}");
        let (status, said) = shop.run_node_to_its_end(&["--domains", "catalog"]).await;
        assert!(!status.success() && said.contains(sentence), "{said}");
        assert_eq!(shop.number("catalog", products).await, made, "nothing is deleted");
        assert_eq!(applied(&shop, table).await, known + 1, "nothing is migrated");

        let restore = format!("delete from {table}; insert into {table} select * from kept; drop table kept");
        shop.sql("catalog", restore).await;
        shop.sql("catalog", unknown.as_str()).await;
        let (ok, said) = shop.souk(&["migrate"]).await;
        assert!(
            !ok && said.contains("the data was written by a newer version") && !said.contains("make clean"),
            "{said}"
        );
        shop.sql("catalog", format!("delete from {table} where version = {added}")).await;
    }
    let (ok, said) = shop.souk(&["migrate"]).await;
    assert!(ok, "{said}");
}

/// Its servers start, since the data is read through them; then it stops them and ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_local_stack_with_data_of_an_unreleased_version_does_not_start() {
    let shop = Shop::start(&[]).await;
    shop.sql("orders", "update _sqlx_migrations set checksum = sha384('an older text')").await;
    shop.kill();
    let (status, said) = shop.run_up_to_its_end().await;
    let sentence = "the database of orders: the data was written by an older, unreleased version and cannot be read; \
                    `make clean` deletes the local stack with its data";
    assert!(!status.success() && said.contains(sentence), "{status}: {said}");
}
