"""What all widgets of a lesson share: how they look in both themes, and what is saved of them."""

import ipywidgets as widgets

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
</style>"""


class Shown:
    """Something shown as a widget, with a short text where there is no kernel."""

    def __repr__(self):
        return f"{type(self).__name__} {self.id}: run this cell to use it."

    def _repr_mimebundle_(self, **options):
        return self.widget._repr_mimebundle_(**options) | {"text/plain": repr(self)}


class Note(Shown):
    """A sentence shown as a widget."""

    def __init__(self, id, text):
        self.id = id
        self.text = text
        self.widget = widgets.HTML(text)
