"""Tables in Markdown."""

from training.markdown import table


def test_a_table_has_a_line_for_its_header_and_each_row():
    assert table(["a", "b"], [["1", "2"], ["3", "4"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |"
