"""The report: figures, tables, executed notebooks and the pages made from them."""
