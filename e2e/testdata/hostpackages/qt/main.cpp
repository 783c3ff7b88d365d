#include "window.h"
#include <QApplication>
#include <QLabel>
#include <QTranslator>
#include <cstdio>
int main(int argc, char **argv)
{
    QApplication app(argc, argv);
    QTranslator german;
    bool loaded = german.load(":/i18n/window_de.qm");
    app.installTranslator(&german);
    Window window;
    std::printf("%d %s %s\n", loaded, window.metaObject()->className(), qPrintable(window.findChild<QLabel *>("label")->text()));
    return window.grab().save(argv[1], "PNG") ? 0 : 1;
}
