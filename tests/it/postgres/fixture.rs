//! The servers that the other tests stand on.

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use super::server::Server;

async fn asked(url: &str) -> Result<String, sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::query_scalar("SELECT current_database()::text || current_user::text")
        .fetch_one(&mut connection)
        .await
}

#[tokio::test]
async fn each_database_is_one_tests_own_and_goes_with_it() {
    let Some(server) = Server::shared() else { return };
    let (one, two) = (server.database(), server.database());
    assert_ne!(one.url(), two.url());
    assert!(asked(one.url()).await.unwrap().ends_with("clawberth"));
    one.sql("CREATE TABLE here ()");
    assert_eq!(two.sql("SELECT count(*) FROM pg_tables WHERE tablename = 'here'"), "0");
    let url = one.url().to_owned();
    drop(one);
    assert!(asked(&url).await.unwrap_err().to_string().contains("does not exist"));
}

#[tokio::test]
async fn passwords_are_asked_for() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let wrong = database.url().replace(database.password(), "wrong");
    let error = asked(&wrong).await.unwrap_err().to_string();
    assert!(error.contains("password authentication failed"), "{error}");
    assert_eq!(database.url_without_password().matches("clawberth@127.0.0.1").count(), 1);
}

#[tokio::test]
async fn a_server_comes_back_after_a_stop_and_after_a_kill() {
    let Some(server) = Server::own() else { return };
    let database = server.database();
    server.stop();
    assert!(asked(database.url()).await.is_err());
    server.start();
    asked(database.url()).await.unwrap();
    server.kill();
    server.start();
    server.start();
    asked(database.url()).await.unwrap();
}

#[tokio::test]
async fn a_server_with_tls_takes_nothing_else() {
    let Some(server) = Server::own_with_tls() else { return };
    let database = server.database();
    let plain = format!("{}?sslmode=disable", database.url());
    let error = asked(&plain).await.unwrap_err().to_string();
    assert!(error.contains("no encryption"), "{error}");
    let checked =
        format!("{}?sslmode=verify-full&sslrootcert={}", database.url(), server.authority().display());
    asked(&checked).await.unwrap();
    asked(&checked.replace("127.0.0.1", "localhost")).await.unwrap();
}
