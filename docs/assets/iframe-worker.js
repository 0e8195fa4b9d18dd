/* Lets the search of these pages work where they are opened from the disk: browsers start no worker from file:// there,
   so the worker's script runs in a hidden frame instead. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = Object.assign(document.createElement("iframe"), { hidden: true });
      document.body.append(frame);
      this.inside = frame.contentWindow;
      const ready = new Promise(resolve => { this.inside.started = resolve; });
      this.inside.document.write(`<script>
        postMessage = data => parent.dispatchEvent(new MessageEvent("from-worker", { data, source: window }));
        importScripts = (...urls) => urls.reduce((before, each) => before.then(() => new Promise((resolve, reject) => {
          document.body.append(Object.assign(document.createElement("script"), { src: each, onload: resolve, onerror: reject }));
        })), Promise.resolve());
      <\/script><script src="${url}" onload="started()"><\/script>`);
      this.inside.document.close();
      this.ready = ready;
      addEventListener("from-worker", event => {
        if (event.source === this.inside) this.dispatchEvent(new MessageEvent("message", { data: event.data }));
      });
    }
    set onmessage(listener) { this.addEventListener("message", listener); }
    postMessage(data) { this.ready.then(() => this.inside.dispatchEvent(new MessageEvent("message", { data }))); }
    terminate() {}
  };
}
