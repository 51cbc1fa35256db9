//! Connections to the API: a fault can end one without an answer, which no router can.

use std::convert::Infallible;
use std::io::{Error, ErrorKind};
use std::pin::Pin;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use thiserror::Error as AsError;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// The pause after an error that the next accept would meet again, such as too many open files.
const PAUSE: Duration = Duration::from_secs(1);

/// How a connection ends in place of an answer.
#[derive(Debug, Clone, Copy, AsError)]
pub(crate) enum Unanswered {
    /// FIN: as if the answer were lost on its way.
    #[error("the connection is to be closed without an answer")]
    Closed,
    /// RST.
    #[error("the connection is to be reset")]
    Reset,
}

impl IntoResponse for Unanswered {
    /// Never sent: [`serve`] ends the connection where it finds the extension.
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Accepts and answers for ever.
pub(super) async fn serve(listener: TcpListener, router: Router) -> Infallible {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(converse(stream, router.clone()));
            }
            Err(error) if concerns_one(&error) => {}
            Err(error) => {
                tracing::error!("the API accepts no connection: {error}");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Whether an error is that of the one connection that was to be accepted.
fn concerns_one(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
    )
}

/// Answers the requests of one connection until either side ends it.
async fn converse(stream: TcpStream, router: Router) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("an answer may be held back: {error}");
    }
    let router = TowerToHyperService::new(router);
    let service = service_fn(|request| {
        let answer = router.call(request);
        async move {
            let response = answer.await.unwrap_or_else(|never: Infallible| match never {});
            response.extensions().get().map_or(Ok(()), |end: &Unanswered| Err(*end)).map(|()| response)
        }
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let Err(error) = Pin::new(&mut connection).await else {
        return;
    };
    let end = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<Unanswered>());
    match end {
        Some(Unanswered::Reset) => {
            if let Err(error) = connection.into_parts().io.into_inner().set_zero_linger() {
                tracing::error!("a connection is closed that was to be reset: {error}");
            }
        }
        Some(Unanswered::Closed) => {}
        None => tracing::debug!("a connection ended: {error}"),
    }
}
