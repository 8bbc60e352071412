// Everything works without this script; it shows progress as it happens and
// takes files that are dropped anywhere on the page.
"use strict";

const duration = (s) => s < 90 ? `${Math.round(s)} s` : `${Math.round(s / 60)} min`;

for (const place of document.querySelectorAll("[data-job]")) {
  const events = new EventSource(`/api/v1/jobs/${place.dataset.job}/events`);
  const was = place.querySelector(".state")?.textContent;
  events.addEventListener("progress", (event) => {
    const job = JSON.parse(event.data);
    if (job.state !== was) {
      events.close();
      location.reload();
      return;
    }
    const bar = place.querySelector("progress");
    const now = place.querySelector(".now");
    if (job.progress && bar) bar.value = job.progress.share;
    if (now) {
      now.textContent = job.waiting || (job.progress
        ? `${Math.round(100 * job.progress.share)}%, ${duration(job.progress.left_seconds)} left, ${job.progress.now || job.progress.step || ""}`
        : "");
    }
  });
  events.addEventListener("end", () => {
    events.close();
    location.reload();
  });
  addEventListener("pagehide", () => events.close());
}

const form = document.querySelector("[data-drop]");
if (form) {
  const input = form.querySelector("input[type=file]");
  const status = form.querySelector("[role=status]");
  const send = () => {
    status.textContent = `Uploading ${input.files[0].name} …`;
    form.requestSubmit();
  };
  input.addEventListener("change", () => { if (input.files.length) send(); });
  addEventListener("dragover", (event) => {
    event.preventDefault();
    form.classList.add("over");
  });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) form.classList.remove("over"); });
  addEventListener("drop", (event) => {
    event.preventDefault();
    form.classList.remove("over");
    if (!event.dataTransfer.files.length) return;
    input.files = event.dataTransfer.files;
    send();
  });
}
