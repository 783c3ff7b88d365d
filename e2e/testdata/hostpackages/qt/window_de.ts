<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de_DE">
<context><name>Window</name><message><source>Hello</source><translation>Guten Tag</translation></message></context>
</TS>
