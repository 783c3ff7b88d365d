#pragma once
#include <QWidget>
#include <memory>
namespace Ui { class Window; }
class Window : public QWidget {
    Q_OBJECT
public:
    Window();
    ~Window() override;
signals:
    void shown(const QString &text);
private:
    std::unique_ptr<Ui::Window> ui;
};
