"""Tables in Markdown."""

from training.markdown import table


def test_a_table_has_a_line_for_its_header_and_each_row():
    assert table(["a", "b"], [["1", "2"], ["3", "4"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |"


def test_a_bar_in_a_cell_is_no_border():
    assert table(["a", "b"], [["x|y", "1"]]).splitlines()[2] == r"| x\|y | 1 |"
