#include "window.h"
#include "ui_window.h"
#include <QFile>
Window::Window() : ui(new Ui::Window)
{
    ui->setupUi(this);
    QFile text(":/text.txt");
    if (text.open(QFile::ReadOnly)) ui->label->setText(tr("Hello") + ": " + QString::fromUtf8(text.readAll()).trimmed());
}
Window::~Window() = default;
