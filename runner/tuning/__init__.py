"""Advice on limits, delays and deadbands, from what a city has seen.

history     readings of many days, by sensor, on disk
troubles    when an asset was truly in trouble: by labels, else by the incidents that were told
practice    what to try for a sensor: from its quiet hours, and from what standards advise
search      what each setting would have told, and which to propose
patch       settings into the text of a city model
advising    the whole: replay, search, replay with the proposals, withdraw what harms
report      what was found, in words, tables and JSON
"""
