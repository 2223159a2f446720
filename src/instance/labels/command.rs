//! One run of a command whose output is a label.

use super::{
    super::{
        host::Host,
        launch::{Exit, Process},
    },
    output::{failure, value},
};
use crate::resource::{App, DynamicLabel, StopSignal, quantity::format_duration};
use std::{sync::Arc, time::Duration};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::sync::CancellationToken;

/// The longest that a command may run, however seldom it does.
const LONGEST: Duration = Duration::from_secs(30);

/// The most bytes that a command may write to each of its outputs.
const MAX_OUTPUT: usize = 64 << 10;

/// Runs the command in the place of the app's server: as its user, in its folder, within its bounds. Nothing of it is
/// left when this returns, also when `stop` cut it short.
///
/// # Errors
/// Why there is no value, for people.
pub async fn run(
    host: &Arc<Host>,
    app: &Arc<App>,
    label: &DynamicLabel,
    stop: &CancellationToken,
) -> Result<String, String> {
    let spec = host.prepare_label(app, label.command.clone()).await;
    let spec = spec.map_err(|unprepared| unprepared.reason)?;
    let Process { stdin, stdout, stderr, mut control, .. } =
        host.launcher.launch(spec).await.map_err(|error| error.to_string())?;
    // It has nothing to read.
    drop(stdin);
    let limit = label.period.min(LONGEST);
    let finished = async {
        let ended = async { Ok(control.wait().await) };
        tokio::try_join!(ended, collect(stdout), collect(stderr))
    };
    let reason = tokio::select! {
        finished = finished => match finished {
            Ok((Exit::Code(0), stdout, _)) => return value(&stdout),
            Ok((exit, _, stderr)) => return Err(failure(exit, &stderr)),
            Err(reason) => reason,
        },
        () = tokio::time::sleep(limit) => format!("it did not end within {}", format_duration(limit)),
        () = stop.cancelled() => "it was stopped".into(),
    };
    control.stop(StopSignal::Kill, Duration::ZERO);
    control.wait().await;
    Err(reason)
}

/// Everything until the end.
async fn collect(output: impl AsyncRead + Unpin) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = output.take(MAX_OUTPUT as u64 + 1).read_to_end(&mut bytes).await;
    read.map_err(|error| format!("its output cannot be read: {error}"))?;
    if bytes.len() > MAX_OUTPUT {
        return Err(format!("it printed more than {} KiB", MAX_OUTPUT >> 10));
    }
    Ok(bytes)
}
