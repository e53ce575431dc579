"""What nbgrader does here that it would not do by itself."""

c = get_config()  # noqa: F821  (nbgrader's)
c.CourseDirectory.course_id = "marginlab"
# As in the lessons: one line to replace.
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
c.ClearSolutions.text_stub = "*Write your answer here.*"
# Long enough for every check; an endless loop costs that much, once.
c.Execute.timeout = 60
c.LimitOutput.max_lines = 200
