// Loads the list anew when there is another one; so it stays where it was scrolled to while there is not.
const { version } = document.currentScript.dataset;

async function look() {
  if (document.hidden) return;
  const response = await fetch("/", { method: "HEAD" });
  if (response.ok && response.headers.get("etag") !== `"${version}"`) location.reload();
}

// The mailbox may be stopped; it is looked for again.
setInterval(() => void look().catch(() => undefined), 2_000);
