// Takes over what changed of a run that goes on, until it ends.
(() => {
  const EVERY = 1000;
  const LIMIT = 10000;
  const next = async () => {
    const old = document.getElementById("live");
    try {
      const answer = await fetch(location.pathname, { signal: AbortSignal.timeout(LIMIT) });
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("live");
      document.title = page.title;
      old.replaceWith(document.adoptNode(fresh));
      if (fresh.dataset.state !== "live") return;
    } catch (error) {
      const said = old.querySelector("[role=status]");
      said.textContent = "No answer from shakedown serve; trying again.";
    }
    setTimeout(next, EVERY);
  };
  setTimeout(next, EVERY);
})();
