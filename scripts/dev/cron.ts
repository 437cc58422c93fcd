const everyMinute = "* * * * *";

/**
 * Runs the Worker's scheduled handler now and then once a minute, which `wrangler dev` does not do
 * by itself. Its failures are told, once in a row, and end nothing.
 *
 * @param url of `wrangler dev`, which has a route for this that answers to localhost only
 */
export function startCron(url: string, everyMilliseconds = 60_000): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const target = `${url}/cdn-cgi/local/scheduled?cron=${encodeURIComponent(everyMinute)}`;
  let isFailing = false;
  let running: Promise<void> | undefined;

  const run = async (): Promise<void> => {
    const problem = await call(target, AbortSignal.any([stopping.signal, AbortSignal.timeout(55_000)]));
    if (stopping.signal.aborted) return;
    if (problem && !isFailing) console.error(`The scheduled handler failed: ${problem}. It is run again each minute.`);
    isFailing = !!problem;
  };
  // One that takes longer than a minute is not run twice at once.
  const tick = (): void => {
    running ??= run().finally(() => (running = undefined));
  };
  tick();
  const timer = setInterval(tick, everyMilliseconds);
  return {
    stop: async () => {
      clearInterval(timer);
      stopping.abort();
      await running;
    },
  };
}

/** @returns what went wrong; undefined when nothing did */
async function call(target: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const response = await fetch(target, { signal });
    const outcome = await response.text();
    return response.ok ? undefined : `${response.status} ${outcome.slice(0, 200)}`;
  } catch (error) {
    return String(error);
  }
}
