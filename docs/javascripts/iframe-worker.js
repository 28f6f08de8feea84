// Browsers start no worker for a page that was opened as a file, and the search of this site is one. There, and only
// there, a hidden frame takes its place: it runs the same script and passes messages on.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      this.started = new Promise((resolve) => this.frame.addEventListener("load", resolve, { once: true }))
      const source = new URL(url, document.baseURI).href
      this.frame.srcdoc =
        `<script>postMessage = (data) => parent.postMessage(data, "*")</script>` +
        `<script src="${source.replaceAll('"', "%22")}"></script>`
      window.addEventListener("message", (event) => {
        if (event.source === this.frame.contentWindow) {
          const passed = new MessageEvent("message", { data: event.data })
          this.dispatchEvent(passed)
          this.onmessage?.(passed)
        }
      })
      document.body.append(this.frame)
    }

    postMessage(data) {
      this.started.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data })))
    }

    terminate() {
      this.frame.remove()
    }
  }
}
