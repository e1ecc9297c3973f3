"""What is done in the isolated child processes (odst.nursery): the serving process never imports these modules.

A deed is `deed(job, talk) -> answer`: JSON in, JSON out, a word now and then through `talk` (odst.deeds.talk).
"""
