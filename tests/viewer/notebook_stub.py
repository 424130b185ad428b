"""What a notebook's front end does with a widget, as far as ours needs it, in a page that asks nothing of a network.

The front ends of Jupyter load their code from a server. A widget's own code (an anywidget module) asks only for a model
with its state, which ipywidgets can write down, and for an element to draw in.
"""

import base64
import json
from pathlib import Path
from typing import Any

from ipywidgets.embed import dependency_state, embed_data

PAGE = """<!doctype html><html><body style="margin:0;background:#fff"><div id="cell"></div>
<script>
const STATE = %(state)s, ROOT = "%(root)s", CODE = "%(code)s";
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const models = {};
class Model {
  constructor(id, { state, buffers = [] }) {
    const widget_manager = { get_model: async (one) => models[one] };
    Object.assign(this, { model_id: id, state, listeners: {}, widget_manager });
    for (const { path, data } of buffers) {
      const inner = path.slice(0, -1).reduce((place, key) => place[key], state);
      inner[path.at(-1)] = new DataView(bytes(data).buffer);
    }
  }
  get(name) { return this.state[name]; }
  set(name, value) { this.state[name] = value; }
  on(name, call) { (this.listeners[name] ??= []).push(call); }
  off() {}
  save_changes() {}
  send() {}
}
(async () => {
  for (const [id, saved] of Object.entries(STATE)) models[id] = new Model(id, saved);
  const source = new Blob([bytes(CODE)], { type: "text/javascript" });
  const { default: widget } = await import(URL.createObjectURL(source));
  const context = { model: models[ROOT], el: document.getElementById("cell"), experimental: {} };
  await widget.initialize(context);
  await widget.render(context);
  document.body.dataset.state = "drawn";
})().catch((problem) => { document.body.dataset.state = `failed: ${problem.stack}`; });
</script></body></html>"""


def write_page(path: Path, widget: Any) -> Path:
    """A page that draws the widget from the state it has in Python."""
    known = dependency_state([widget], drop_defaults=False)
    state = embed_data(views=[widget], state=known, drop_defaults=False)["manager_state"]["state"]
    code = base64.b64encode(str(widget._esm).encode())
    named = {"state": json.dumps(state), "root": widget.model_id, "code": code.decode("ascii")}
    path.write_text(PAGE % named, encoding="utf-8")
    return path
