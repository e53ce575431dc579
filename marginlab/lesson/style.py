"""How widgets look, in both themes of JupyterLab: one stylesheet, shown with each."""

STYLE = """<style>
.marginlab-reading{line-height:1.5;max-width:46rem;color:var(--jp-content-font-color1,inherit)}
.marginlab-reading table{margin:.4rem 0;border-collapse:collapse;color:inherit}
.marginlab-reading th,.marginlab-reading td{padding:.15rem .9rem .15rem 0;text-align:right;border:0;color:inherit}
.marginlab-reading thead th{border-bottom:1px solid var(--jp-border-color1,#999)}
.marginlab-reading .marginlab-marked *{font-weight:700;border-top:2px solid var(--jp-border-color1,#999)}
/* the label of a number box is for screen readers: the eye has the slider's */
.marginlab-number{position:relative}
.marginlab-number .widget-label{position:absolute;right:0;width:max-content;clip-path:inset(50%)}
/* where the keyboard is, and which button is down: not by a shade alone */
.jupyter-widgets.jupyter-widgets.jupyter-widgets :focus-visible,.jupyter-widgets.jupyter-widgets:focus-visible{
  outline:2px solid var(--jp-content-font-color1,#1976d2)!important}
.jupyter-widgets .widget-toggle-button.mod-active{box-shadow:inset 0 -4px currentColor}
/* a long answer takes two lines on a narrow page */
.jupyter-widgets .widget-radio-box label{height:auto;white-space:normal;
  display:flex;flex-direction:row-reverse;justify-content:flex-end;align-items:flex-start}
.marginlab-limits{max-width:46rem;font-size:90%;line-height:1.4;color:var(--jp-content-font-color2,inherit)}
</style>"""
