"""Tables at run time: those of others, by the host's functions, and the plugin's own, by ours.

``attach`` resolves what a plugin declares, in init. ``used`` is somebody else's table and
``scope`` when it is usable; ``owned`` is an own table, ``callbacks`` what others call it by.
"""
