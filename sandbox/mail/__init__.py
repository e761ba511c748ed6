"""The mail sink: a stand-in for a mail server that keeps what it is given, and shows it over HTTP.

Two kinds of addresses are refused, so that both refusals can be seen: what begins with `bounce` for good
(550), what begins with `defer` for now (451).
"""
