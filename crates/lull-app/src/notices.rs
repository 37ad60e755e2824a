//! Notifications, as the desktop shows them.

use lull_desktop::Notice;
use lull_types::Page;
use notify_rust::Notification;
use tokio::sync::mpsc;

/// Tells a person; what they choose there comes out of `opened`.
pub(crate) fn tell(notice: Notice, opened: mpsc::Sender<Page>) {
    tokio::spawn(async move {
        if let Err(error) = shown(&notice, &opened).await {
            tracing::warn!(kind = ?notice.kind, %error, "a notification cannot be shown");
        }
    });
}

#[cfg(target_os = "linux")]
async fn shown(notice: &Notice, opened: &mpsc::Sender<Page>) -> Result<(), notify_rust::error::Error> {
    let mut notification = Notification::new();
    notification.appname("Lull").icon("lull").summary(&notice.title).body(&markup_free(&notice.body));
    // What a click on the notification itself is called.
    notification.action("default", &notice.title);
    let handle = notification.show_async().await?;
    let mut chosen = false;
    handle
        .wait_for_action_async(|response| chosen = matches!(response, notify_rust::NotificationResponse::Default))
        .await;
    if chosen {
        let _ = opened.send(notice.page).await;
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
async fn shown(notice: &Notice, _: &mpsc::Sender<Page>) -> Result<(), notify_rust::error::Error> {
    let mut notification = Notification::new();
    notification.appname("Lull").summary(&notice.title).body(&notice.body);
    tokio::task::spawn_blocking(move || notification.show().map(|_| ())).await.unwrap_or(Ok(()))
}

/// Bodies may hold others' words, and desktops read markup in them.
#[cfg(target_os = "linux")]
fn markup_free(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
