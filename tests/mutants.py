"""Small changes of a model solution, as a student's slip would make them: a check of it must refuse each."""

import ast
import copy

OTHER = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
OTHER |= {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE}


def changes(node, names, figures):
    """What could stand in the place of a node; also the student's own figure of an argument's name."""
    match node:
        case ast.BinOp(left, op, right):
            yield from (left, right)
            if type(op) in OTHER:
                yield ast.BinOp(left, OTHER[type(op)](), right)
        case ast.Compare(left, [op], right):
            yield ast.Compare(left, [OTHER[type(op)]()], right)
        case ast.IfExp(_, body, orelse):
            yield from (body, orelse)
        case ast.UnaryOp(_, operand):
            yield operand
        case ast.Name("max" | "min" as name, ctx):
            yield ast.Name({"max": "min", "min": "max"}[name], ctx)
        case ast.Name(name, ast.Load()) if name in names:
            yield from (ast.Name(other, ast.Load()) for other in sorted(names - {name}))
            if name in figures:
                yield ast.Subscript(ast.Name("mine", ast.Load()), ast.Constant(name), ast.Load())


class Swapped(ast.NodeTransformer):
    def __init__(self, old, new):
        self.old, self.new = old, new

    def visit(self, node):
        return self.new if node is self.old else self.generic_visit(node)


def mutants(source, lines, figures=()):
    """The sources of a function with one small change in these of its lines (counted from 1)."""
    tree = ast.parse(source)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    found = set()
    for at, node in enumerate(ast.walk(tree)):
        if getattr(node, "lineno", 0) in lines:
            for new in changes(node, names | arguments, arguments & set(figures)):
                changed = copy.deepcopy(tree)
                old = list(ast.walk(changed))[at]
                found.add(ast.unparse(ast.fix_missing_locations(Swapped(old, new).visit(changed))))
    return sorted(found - {ast.unparse(tree)})
