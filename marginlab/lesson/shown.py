"""What all widgets of a lesson share: how they look in both themes, and what is saved of them."""

from html import escape

import ipywidgets as widgets
from IPython.display import display

if int(widgets.__version__.partition(".")[0]) < 8:
    raise ImportError(
        f"marginlab needs ipywidgets 8, and this Python has {widgets.__version__}: open the course "
        f"by python3 run.py, or install its requirements (binder/requirements.txt) here"
    )

STYLE = """<style>
.marginlab-reading{line-height:1.5;max-width:46rem;color:var(--jp-content-font-color1,inherit)}
.marginlab-reading table{margin:.4rem 0;border-collapse:collapse;color:inherit}
.marginlab-reading :is(th,td){
  padding:.15rem .9rem .15rem 0;text-align:right;border:0;color:inherit}
.marginlab-reading thead th{border-bottom:1px solid var(--jp-border-color1,#999)}
.marginlab-reading .marginlab-marked *{
  font-weight:700;border-top:2px solid var(--jp-border-color1,#999)}
/* the label of a number box is for screen readers: the eye has the slider's */
.marginlab-number{position:relative}
.marginlab-number .widget-label{position:absolute;right:0;width:max-content;clip-path:inset(50%)}
/* where the keyboard is, and which button is down: not by a shade alone */
.jupyter-widgets.jupyter-widgets.jupyter-widgets :focus-visible,
.jupyter-widgets.jupyter-widgets:focus-visible{
  outline:2px solid var(--jp-content-font-color1,#1976d2)!important}
.jupyter-widgets .widget-toggle-button.mod-active{box-shadow:inset 0 -4px currentColor}
/* a long answer takes two lines on a narrow page */
.jupyter-widgets .widget-radio-box label{height:auto;white-space:normal;
  display:flex;flex-direction:row-reverse;justify-content:flex-end;align-items:flex-start}
/* letters of any width and size: rows wrap, words are not cut */
.marginlab-explorer .widget-hbox{flex-wrap:wrap;align-items:center;overflow:visible}
.marginlab-explorer .jupyter-widgets{max-width:100%;box-sizing:border-box}
.marginlab-explorer :is(.widget-hslider,.widget-dropdown){
  flex:1 1 22rem;max-width:34rem;height:auto;flex-wrap:wrap}
.marginlab-explorer .widget-label{height:auto;white-space:normal;overflow:visible;line-height:1.2}
.marginlab-explorer :is(.slider-container,select){flex:1 1 7rem}
.marginlab-explorer select{height:var(--jp-widgets-inline-height)}
.marginlab-explorer .widget-toggle-buttons{flex:1 1 16rem;height:auto}
.marginlab-explorer .widget-toggle-button{flex:none;min-width:3.2rem;padding:0 .7rem}
.marginlab-explorer .widget-button{min-width:max-content}
.marginlab-explorer svg{overflow:visible}
/* two controls in a row, the chart and the vessels side by side, where there is room */
.marginlab-explorer{container-type:inline-size}
.marginlab-beside p{margin:.2rem 0}
.marginlab-beside .marginlab-reading{max-width:54rem}
.marginlab-folded table{display:none}
.marginlab-foot{align-items:flex-start;gap:.6rem}
.marginlab-foot .widget-html{flex:1 1 20rem}
@container (min-width:44rem){
  .marginlab-explorer .marginlab-pairs{display:grid;column-gap:1rem;
    grid-template-columns:minmax(0,1fr) minmax(0,1fr)}
  .marginlab-explorer .marginlab-across{grid-column:1/3}
  .marginlab-explorer .marginlab-pairs .widget-label{width:9.5rem!important}
  .marginlab-explorer .marginlab-pairs .widget-toggle-buttons{flex:1 1 9rem}
  .marginlab-explorer .marginlab-pairs :is(.widget-hslider,.widget-dropdown){flex:1 1 13rem}
  .marginlab-explorer .marginlab-pairs .slider-container{flex:1 1 4rem}
  .marginlab-explorer .marginlab-pairs .widget-toggle-button{padding:0 .5rem;min-width:2.2rem}
  .marginlab-explorer .marginlab-pairs :is(.marginlab-number,.widget-button){
    width:5.2rem!important;min-width:0}
  .marginlab-beside>.widget-html-content{display:grid;place-content:start stretch;
    align-items:start;column-gap:.6rem;
    grid-template-columns:minmax(0,1fr) 17rem}
  .marginlab-beside>.widget-html-content>:nth-child(3){grid-column:1/3}
}
.marginlab-told{font-size:90%}
.marginlab-told .widget-html-content>div{width:11rem;min-width:100%;line-height:1.15;
  overflow-wrap:anywhere;color:var(--jp-content-font-color1,inherit)}
.jupyter-widgets .widget-toggle-buttons>div{flex-wrap:wrap}
.marginlab-limits{max-width:54rem;font-size:90%;line-height:1.4;
  color:var(--jp-content-font-color2,inherit)}
/* its kernel is gone (JupyterLab marks widgets after a restart, and only the toolbar of the page
after a shutdown; `:has` on more than the toolbar would slow each update of an explorer): said once,
and nothing can be pressed that would be lost */
.jupyter-widgets-disconnected::before{content:none!important}
.jp-OutputArea-output>.jupyter-widgets-disconnected::before,
.jp-NotebookPanel-toolbar:has([data-status=unknown],[data-status=dead])
~.jp-NotebookPanel-notebook .jp-OutputArea-output>.jupyter-widgets::before{
  content:"The kernel was restarted or ended: run the set-up cell at the top, and this one again."
    !important;
  display:block;font:inherit;font-weight:700;line-height:1.5;white-space:normal;
  color:var(--jp-content-font-color1,inherit)}
.jp-OutputArea-output>.jupyter-widgets-disconnected,
.jp-NotebookPanel-toolbar:has([data-status=unknown],[data-status=dead])
~.jp-NotebookPanel-notebook .jp-OutputArea-output>.jupyter-widgets{
  opacity:.75;pointer-events:none}
</style>"""
# A page keeps both outputs of a cell. The twin goes while its widget lives; where a widget was,
# the twin stands, and what to do stands for "Error displaying widget: model not found".
TWIN = """<style>
.jp-OutputArea:has(.jp-OutputArea-output>.jupyter-widgets) .marginlab-twin{display:none}
.jp-OutputArea:has(.marginlab-twin) .jp-OutputArea-output.jupyter-widgets{
  visibility:hidden;font-size:0}
.jp-OutputArea:has(.marginlab-twin) .jp-OutputArea-output.jupyter-widgets::before{
  visibility:visible;font-size:var(--jp-content-font-size1);
  content:"To use it, run the set-up cell at the top, and then this cell."}
</style>"""


def twin(title, *said, choices=(), folded=""):
    """HTML that needs no kernel: a question, words on it, its choices, and an answer, folded."""
    shown = f"<p><b>{escape(title)}</b></p>" + "".join(f"<p>{escape(text)}</p>" for text in said)
    if choices:
        shown += f"<ul>{''.join(f'<li>{escape(choice)}</li>' for choice in choices)}</ul>"
    if folded:
        shown += f"<details><summary>Answer</summary>{folded}</details>"
    return f'<div class="marginlab-twin">{TWIN}{shown}</div>'


class Shown:
    """Something shown as a widget, after a twin in HTML for pages where no kernel runs."""

    title, limits, reading = "", "", {}

    def __repr__(self):
        return f"{type(self).__name__} {self.id}: run this cell to use it."

    def twin_html(self):
        """What stands in the saved file, whatever was answered."""
        return twin(self.title, *filter(None, (self.reading.get("sentence"), self.limits)))

    def _ipython_display_(self):
        # Two outputs: of one with both forms, JupyterLab tries the widget and nothing else.
        display({"text/html": self.twin_html(), "text/plain": repr(self)}, raw=True)
        display(self._repr_mimebundle_(), raw=True)

    def _repr_mimebundle_(self, **options):
        return self.widget._repr_mimebundle_(**options) | {"text/plain": repr(self)}


class Note(Shown):
    """A sentence shown as a widget; `html` is what a saved page has instead."""

    def __init__(self, id, text, html):
        self.id = id
        self.text = text
        self.html = html
        self.widget = widgets.HTML(text)

    def twin_html(self):
        return self.html
